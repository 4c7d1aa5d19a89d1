"""Results as a table that people read: with rich on a terminal, as plain text elsewhere."""

from __future__ import annotations

import sys
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import attrs

from metalab.harmless import harmless
from metalab.progress.text import duration
from metalab.records import Status
from metalab.results.cells import is_numeric, spelled, written
from metalab.results.columns import Columns
from metalab.results.lookup import missing
from metalab.results.selection import ABSENT, field_of
from metalab.store.query.groups import as_float
from metalab.store.query.interval import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from metalab.results.decoding import Row
    from metalab.results.rows import Rows

__all__ = ["Table", "counts_line", "grouped", "listed", "show", "summary_line"]

_SHORT = 8
_MANY = 60
_FIRST = 50


@attrs.frozen
class Table:
    """Columns by the name that stands above them, and how many rows were left out."""

    columns: Mapping[str, Sequence[Any]]
    left_out: int = 0

    def text(self) -> str:
        """Write the table as plain text, numbers aligned to the right."""
        headers = list(map(harmless, self.columns))
        cells = [written(column) for column in self.columns.values()]
        widths = [max(map(len, [h, *column])) for h, column in zip(headers, cells, strict=True)]
        numeric = list(map(is_numeric, self.columns.values()))
        lines = [headers, *zip(*cells, strict=True)]
        return "\n".join(_line(line, widths, numeric) for line in lines)


def _line(cells: Iterable[str], widths: Iterable[int], numeric: Iterable[bool]) -> str:
    aligned = (
        cell.rjust(width) if number else cell.ljust(width)
        for cell, width, number in zip(cells, widths, numeric, strict=True)
    )
    return "  ".join(aligned).rstrip()


def listed(rows: Rows) -> Table:
    """Make the table of runs, one a row; of many, the first ones."""
    total = len(rows)
    shown = list(rows if total <= _MANY else rows.select(range(_FIRST)))
    columns = Columns().of([shown]).columns
    params = {n.removeprefix("param_"): c for n, c in columns.items() if n.startswith("param_")}
    metrics = Columns(params=False, record=False).of([shown]).columns
    table: dict[str, Sequence[Any]] = {"run": [run_id[:_SHORT] for run_id in columns["run_id"]]}
    for name, column in params.items():
        table[f"param_{name}" if name in metrics or name in _FIXED else name] = column
    if len(set(columns["replicate"])) > 1:
        table["replicate"] = columns["replicate"]
    table.update(metrics)
    table["status"] = columns["status"]
    if any(columns["error"]):
        table["error"] = columns["error"]
    return Table(table, total - len(shown))


_FIXED = frozenset({"run", "replicate", "status", "error"})


def grouped(rows: Iterable[Row], by: Sequence[str]) -> Table:
    """Make the table of groups of runs with equal params (or metrics, or fields).

    Of each metric it has the mean over the successful runs, and the standard deviation
    where a group has several. Raises KeyError if no run has a name of ``by``.
    """
    groups: dict[str, _Group] = {}
    absent, names = set(by), set[str]()
    for row in rows:
        values = [field_of(row, name) for name in by]
        absent.difference_update(n for n, v in zip(by, values, strict=True) if v is not ABSENT)
        names.update(row.params, row.metrics)
        key = [None if value is ABSENT else value for value in values]
        groups.setdefault(spelled(key), _Group(key)).add(row)
    if absent and groups:
        raise missing("these runs have", "param, metric or field", min(absent), names)
    found = list(groups.values())
    table: dict[str, Sequence[Any]] = {n: [g.key[i] for g in found] for i, n in enumerate(by)}
    table["runs"] = [group.runs for group in found]
    if any(group.failed for group in found):
        table["failed"] = [group.failed for group in found]
    for name in dict.fromkeys(name for group in found for name in group.values):
        if name not in by:
            table |= _statistics(name, [group.values.get(name, []) for group in found])
    return Table(table)


class _Group:
    """The runs of one group: how many, and their metrics that are numbers."""

    def __init__(self, key: Sequence[Any]) -> None:
        self.key = key
        self.runs = 0
        self.failed = 0
        self.values: dict[str, list[float]] = {}

    def add(self, row: Row) -> None:
        self.runs += 1
        self.failed += row.status == "failed"
        if row.status != "success":
            return
        for name, value in row.metrics.items():
            if isinstance(value, (int, float)):
                self.values.setdefault(name, []).append(as_float(value))


def _statistics(name: str, groups: Sequence[Sequence[float]]) -> dict[str, Sequence[Any]]:
    samples = list(map(_sample, groups))
    columns: dict[str, Sequence[Any]] = {f"mean {name}": [each.mean for each in samples]}
    if any(len(values) > 1 for values in groups):
        columns[f"sd {name}"] = [each.sd for each in samples]
    return columns


def _sample(values: Sequence[float]) -> Sample:
    if any(map(isnan, values)):
        return Sample(len(values), nan, nan if len(values) > 1 else None)
    return Sample.of(values)


def counts_line(by_status: Mapping[str, int]) -> str:
    """Say in one line how many runs there are and how they ended."""
    runs = sum(by_status.values())
    counts = [f"{by_status[status]:,} {status}" for status in Status if status in by_status]
    return f"{runs:,} run{'s' * (runs != 1)}" + (f": {', '.join(counts)}" if counts else "")


def summary_line(summary: Mapping[str, Any]) -> str:
    """Say in one line how many runs there are, how they ended and how long they took."""
    text = counts_line(summary["by_status"])
    if summary["avg_duration_ms"] is not None:
        text += f", {duration(summary['avg_duration_ms'] / 1000)} a run on average"
    return text


def show(table: Table, summary: str | None) -> None:
    """Print a table, and a line below it, on standard output."""
    if table.columns and any(map(len, table.columns.values())):
        _print_table(table)
    if table.left_out:
        _print(f"and {table.left_out:,} more; to_dataframe() and to_csv() have all of them")
    if summary is not None:
        _print(summary)


def _print_table(table: Table) -> None:
    if sys.stdout.isatty():
        try:
            # A soft dependency, drawn with where the user has installed it.
            from metalab.progress.table import print_table  # noqa: PLC0415
        except ImportError:
            pass
        else:
            columns = [
                (harmless(name), is_numeric(column)) for name, column in table.columns.items()
            ]
            print_table(columns, list(zip(*map(written, table.columns.values()), strict=True)))
            return
    _print(table.text())


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
