"""Columns: the runs of a Results turned into lists of equal length, by name.

The columns of the record come first, then ``param_<name>``, then the metrics under their
own names, then ``derived_<name>``. A metric whose name is that of a record's column, or
begins with ``param_``, ``derived_`` or ``metric_``, is called ``metric_<name>``, so that no
two columns ever meet.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from metalab.results.rows import Row

__all__ = ["MOMENTS", "RECORD_COLUMNS", "Columns", "metric_column", "spread"]

T = TypeVar("T")

MOMENTS = ("started_at", "finished_at")
"""The columns that hold moments: ISO 8601 in UTC, or None."""

_CHUNK = 1024

# One list comprehension for each column: this is where the time of making a frame goes.
_RECORD: dict[str, Callable[[Sequence[Row]], list[Any]]] = {
    "run_id": lambda rows: [row.id for row in rows],
    "experiment_id": lambda rows: [row.experiment for row in rows],
    "status": lambda rows: [row.status for row in rows],
    "started_at": lambda rows: [row.time.start for row in rows],
    "finished_at": lambda rows: [row.time.end for row in rows],
    "duration_ms": lambda rows: [row.ms for row in rows],
    "context_fingerprint": lambda rows: [row.fingerprints.context for row in rows],
    "params_fingerprint": lambda rows: [row.fingerprints.params for row in rows],
    "seed_fingerprint": lambda rows: [row.fingerprints.seed for row in rows],
    "seed": lambda rows: [row.seed for row in rows],
    "replicate": lambda rows: [row.replicate for row in rows],
    "attempt": lambda rows: [row.attempt for row in rows],
    "code_hash": lambda rows: [row.code or None for row in rows],
    "tags": lambda rows: [row.tags for row in rows],
    "error": lambda rows: [_error(row) for row in rows],
}

RECORD_COLUMNS = tuple(_RECORD)
"""The columns that every run has."""

_RESERVED = frozenset(RECORD_COLUMNS)
_PREFIXES = ("param_", "derived_", "metric_")


def metric_column(name: str) -> str:
    """Return the name of a metric's column."""
    taken = name in _RESERVED or name.startswith(_PREFIXES)
    return f"metric_{name}" if taken else name


def _error(row: Row) -> str | None:
    return None if row.error is None else f"{row.error.get('type')}: {row.error.get('message')}"


class _Spread:
    """Columns made of many dicts, whose keys may differ; what a dict lacks is None."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {}
        self._length = 0

    def extend(self, dicts: Sequence[Mapping[str, Any]]) -> None:
        if not self.columns.keys() >= set().union(*dicts):
            for name in (name for each in dicts for name in each):
                if name not in self.columns:
                    self.columns[name] = [None] * self._length
        for name, column in self.columns.items():
            column.extend([each.get(name) for each in dicts])
        self._length += len(dicts)


def spread(dicts: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Make columns of dicts, in the order in which names are first seen."""
    made = _Spread()
    for chunk in _chunks(dicts):
        made.extend(chunk)
    return made.columns


@attrs.frozen
class Columns:
    """Which columns are wanted of each row."""

    params: bool = True
    metrics: bool = True
    record: bool = True

    def of(self, rows: Iterable[Row]) -> dict[str, list[Any]]:
        """Make the columns of rows."""
        record: dict[str, list[Any]] = {name: [] for name in _RECORD if self.record}
        params, metrics = _Spread(), _Spread()
        for chunk in _chunks(rows):
            for name, column in record.items():
                column.extend(_RECORD[name](chunk))
            if self.params:
                params.extend([row.params for row in chunk])
            if self.metrics:
                metrics.extend([row.metrics for row in chunk])
        return {
            **record,
            **{f"param_{name}": column for name, column in params.columns.items()},
            **{metric_column(name): column for name, column in metrics.columns.items()},
        }


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    # Items are let go chunk by chunk: a hundred thousand dicts alive at once cost more time
    # in the garbage collector than all the decoding.
    items = iter(items)
    while chunk := list(islice(items, _CHUNK)):
        yield chunk
