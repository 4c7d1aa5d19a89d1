"""Columns: the runs of a Results turned into lists of equal length, by name.

The columns of the record come first, then ``param_<name>``, then the metrics under their
own names, then ``derived_<name>``. A metric whose name is that of a record's column, or
begins with ``param_``, ``derived_`` or ``metric_``, is called ``metric_<name>``, so that no
two columns ever meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
from msgspec import Struct

from metalab.results.shapes import names_and_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from metalab.results.decoding import FullRow, Row, Values

__all__ = [
    "EXACT",
    "MOMENTS",
    "RECORD_COLUMNS",
    "RECORD_FIELDS",
    "Columns",
    "fingerprints",
    "metric_column",
    "record_column",
    "spread",
    "value_of_column",
]

T = TypeVar("T")

EXACT = 2**53
"""The integers up to it, of either sign, are all held by floats."""

MOMENTS = ("started_at", "finished_at")
"""The columns that hold moments: ISO 8601 in UTC, or None."""

# One list comprehension for each column: this is where the time of making a frame goes.
_RECORD: dict[str, Callable[[Sequence[Row]], list[Any]]] = {
    "run_id": lambda rows: [row.id for row in rows],
    "experiment_id": lambda rows: [row.experiment for row in rows],
    "status": lambda rows: [row.status for row in rows],
    "started_at": lambda rows: [row.time.start for row in rows],
    "finished_at": lambda rows: [row.time.end for row in rows],
    "duration_ms": lambda rows: [row.ms for row in rows],
    "seed": lambda rows: [row.seed for row in rows],
    "replicate": lambda rows: [row.replicate for row in rows],
    "attempt": lambda rows: [row.attempt for row in rows],
    "code_hash": lambda rows: [row.code or None for row in rows],
    "tags": lambda rows: [row.tags for row in rows],
    "error": lambda rows: [_error(row) for row in rows],
}

RECORD_COLUMNS = tuple(_RECORD)
"""The columns that every run has."""

RECORD_FIELDS = {
    "run_id": "id",
    "experiment_id": "experiment",
    "status": "status",
    "started_at": "time",
    "finished_at": "time",
    "duration_ms": "ms",
    "seed": "seed",
    "replicate": "replicate",
    "attempt": "attempt",
    "code_hash": "code",
    "tags": "tags",
    "error": "error",
}
"""The field of a row that each of them is made of."""

_FINGERPRINTS = ("context", "params", "seed")
_RESERVED = frozenset({*RECORD_COLUMNS, *(f"{name}_fingerprint" for name in _FINGERPRINTS)})
_PREFIXES = ("param_", "derived_", "metric_")


def metric_column(name: str) -> str:
    """Return the name of a metric's column."""
    taken = name in _RESERVED or name.startswith(_PREFIXES)
    return f"metric_{name}" if taken else name


def value_of_column(name: str) -> tuple[str, str] | None:
    """Return the section and the name of the value in a column; None if it holds no such."""
    if name.startswith("param_"):
        return "params", name.removeprefix("param_")
    metric = name.removeprefix("metric_")
    return ("metrics", metric) if metric_column(metric) == name else None


def record_column(name: str, rows: Sequence[Row]) -> list[Any]:
    """Make a column of the record."""
    return _RECORD[name](rows)


def _error(row: Row) -> str | None:
    return None if row.error is None else f"{row.error.get('type')}: {row.error.get('message')}"


class _Spread:
    """Columns made of many dicts, whose keys may differ; what a dict lacks is None.

    ``alike`` tells that all dicts had the same keys, in the same order as far as that can
    be told: rows of one shape all have its names, in whatever order each had them.
    """

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {}
        self.alike = True
        self._length = 0

    def extend(self, given: Sequence[Mapping[str, Any]] | Sequence[Struct]) -> None:
        """Add dicts, or rows of one shape."""
        if given and isinstance(given[0], Struct):
            self._extend_shaped(cast("Sequence[Struct]", given))
        else:
            self._extend_dicts(cast("Sequence[Mapping[str, Any]]", given))

    def _extend_shaped(self, slots: Sequence[Struct]) -> None:
        names, values = names_and_values(slots)
        if names != list(self.columns):
            self._extend_dicts(
                [dict(zip(names, each, strict=True)) for each in zip(*values, strict=True)]
            )
            return
        for column, chunk in zip(self.columns.values(), values, strict=True):
            column.extend(chunk)
        self._length += len(slots)

    def _extend_dicts(self, dicts: Sequence[Mapping[str, Any]]) -> None:
        if not self._length and dicts:
            self.columns = {name: [] for name in dicts[0]}
        if list(map(list, dicts)).count(list(self.columns)) == len(dicts):
            values = zip(*(each.values() for each in dicts), strict=True)
            for column, chunk in zip(self.columns.values(), values, strict=False):
                column.extend(chunk)
        else:
            self._extend_unlike(dicts)
        self._length += len(dicts)

    def _extend_unlike(self, dicts: Sequence[Mapping[str, Any]]) -> None:
        self.alike = False
        for name in dict.fromkeys(name for each in dicts for name in each):
            if name not in self.columns:
                self.columns[name] = [None] * self._length
        for name, column in self.columns.items():
            column.extend([each.get(name) for each in dicts])


def fingerprints(chunks: Iterable[Sequence[FullRow]]) -> dict[str, list[str]]:
    """Make the columns of the fingerprints of what the runs were given."""
    found = [row.fingerprints for chunk in chunks for row in chunk]
    return {
        f"{name}_fingerprint": [getattr(each, name) for each in found] for name in _FINGERPRINTS
    }


def spread(dicts: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Make columns of dicts, in the order in which names are first seen."""
    made = _Spread()
    made.extend(list(dicts))
    return made.columns


@attrs.frozen
class Made:
    """Columns that were made; ``alike`` tells that all rows have them in one order."""

    columns: dict[str, list[Any]]
    alike: bool


@attrs.frozen
class Columns:
    """Which columns are wanted of each row."""

    params: bool = True
    metrics: bool = True
    record: bool = True

    def of(self, chunks: Iterable[Sequence[Values]]) -> Made:
        """Make the columns of rows, given some at a time: of Rows, if of the record."""
        record: dict[str, list[Any]] = {name: [] for name in _RECORD if self.record}
        params, metrics = _Spread(), _Spread()
        for chunk in chunks:
            for name, column in record.items():
                column.extend(_RECORD[name](chunk))  # type: ignore[arg-type]
            if self.params:
                params.extend([row.params for row in chunk])
            if self.metrics:
                metrics.extend([row.metrics for row in chunk])
        columns = {
            **record,
            **{f"param_{name}": column for name, column in params.columns.items()},
            **{metric_column(name): column for name, column in metrics.columns.items()},
        }
        return Made(columns, params.alike and metrics.alike)
