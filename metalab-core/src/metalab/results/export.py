"""Exported tables: the columns that were asked for, and the CSV file made of them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from metalab.identity.values import to_jsonable
from metalab.results.cells import spelled
from metalab.results.columns import Columns, spread
from metalab.results.computed import derived_values
from metalab.results.derived import as_derived_metrics
from metalab.results.placing import placed
from metalab.results.reducers import Reducers, reduced_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from metalab.results.derived import DerivedMetrics
    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["TableOptions", "columns_of", "put_csv", "write_csv"]

_LINE_END = "\r\n"
_LONG_BITS = 10_000  # of integers that may have more digits than str() writes


class TableOptions(TypedDict, total=False):
    """The options of ``Results.to_dataframe``, which the other tables and files take too."""

    columns: str | Iterable[str] | None
    include_params: bool
    include_metrics: bool
    include_record: bool
    include_derived: bool
    derived_metrics: DerivedMetrics
    artifact_reducers: Reducers | None
    progress: bool


def columns_of(reader: Reader, rows: Rows, options: TableOptions) -> dict[str, Sequence[Any]]:
    """Make the columns that the options ask for."""
    columns = _recorded(rows, options)
    progress = options.get("progress", False)
    metrics = as_derived_metrics(options.get("derived_metrics"))
    kept = options.get("include_derived", False)
    if metrics or kept:
        values = derived_values(reader, rows, metrics, kept=kept, progress=progress)
        columns |= {f"derived_{name}": column for name, column in spread(values).items()}
    if reducers := options.get("artifact_reducers"):
        reduced = spread(reduced_values(reader, rows, reducers, progress=progress))
        columns |= {_free(name, columns): column for name, column in reduced.items()}
    return columns


def _recorded(rows: Rows, options: TableOptions) -> dict[str, Sequence[Any]]:
    if (names := options.get("columns")) is not None:
        return rows.picked(names)
    wanted = Columns(
        params=options.get("include_params", True),
        metrics=options.get("include_metrics", True),
        record=options.get("include_record", True),
    )
    return rows.columns(wanted)


def _free(name: str, taken: Mapping[str, Any]) -> str:
    return name if name not in taken else _free(f"artifact_{name}", taken)


def write_csv(columns: Mapping[str, Sequence[Any]], path: Path) -> Path:
    """Write columns as a CSV file in UTF-8, which is there when it is whole; return its path."""
    with (
        placed(path) as aside,
        aside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        put_csv(columns, file.write)
    return path


def put_csv(columns: Mapping[str, Sequence[Any]], write: Callable[[str], object]) -> None:
    r"""Hand columns on as CSV, line by line.

    Values are exact. A text that a spreadsheet would take for a formula stays as it is, too:
    whatever marks it as a text would be read as a part of it by everything else. Integers that
    Python does not write in decimal are hexadecimal ones. Halves of surrogate pairs, which
    UTF-8 lacks, are for whoever encodes to write as ``\ud800``.
    """
    cells = [list(map(_CELLS.get(name, _cell), column)) for name, column in columns.items()]
    writer = csv.writer(_Lines(write), lineterminator=_LINE_END)
    writer.writerow(columns)
    writer.writerows(zip(*cells, strict=True))


class _Lines:
    """Ends lines with a line feed alone.

    csv may leave a carriage return in a cell unquoted unless lines end with one too, and a
    reader would take it for the end of the line.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def write(self, line: str) -> None:
        self._write(line.removesuffix(_LINE_END) + "\n")


def _cell(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > _LONG_BITS:
        return spelled(value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    return msgspec.json.encode(to_jsonable(value)).decode()


def _tags(tags: Any) -> Any:
    # Kept as a tuple for pandas to group by; a reader of the file expects a plain list.
    return _cell(list(tags) if isinstance(tags, tuple) else tags)


_CELLS = {"tags": _tags}
