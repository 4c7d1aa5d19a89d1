"""Choosing runs by status, tags, params, metrics, and what else their records say."""

from __future__ import annotations

from functools import cache
from math import isnan
from typing import TYPE_CHECKING, Any

from metalab.records import Status
from metalab.results.lookup import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from metalab.results.decoding import Row

__all__ = ["ABSENT", "field_of", "select", "wanted_status", "with_status"]

_FIELDS: dict[str, Callable[[Row], Any]] = {
    "run_id": lambda row: row.id,
    "experiment_id": lambda row: row.experiment,
    "status": lambda row: row.status,
    "seed": lambda row: row.seed,
    "replicate": lambda row: row.replicate,
    "attempt": lambda row: row.attempt,
    "code_hash": lambda row: row.code,
    "duration_ms": lambda row: row.ms,
}
ABSENT = object()
"""What ``field_of`` returns for a name that a run does not have."""


def field_of(row: Row, name: str) -> Any:
    """Return the param of that name, else the metric, else what the record says."""
    if name in row.params:
        return row.params[name]
    if name in row.metrics:
        return row.metrics[name]
    return _FIELDS[name](row) if name in _FIELDS else ABSENT


def wanted_status(status: str | Callable[[str], bool] | None) -> Any:
    """Check a status that was asked for; raises ValueError naming those there are."""
    if status is None or callable(status):
        return status
    try:
        return Status(status)
    except ValueError:
        there = ", ".join(Status)
        raise ValueError(f"{status!r} is no status; the statuses are {there}") from None


def select(
    rows: Iterable[Row],
    status: Any,
    tags: str | Iterable[str] | None,
    fields: Mapping[str, Any],
) -> Iterator[int]:
    """Yield the places of the rows that have everything that is wanted.

    A wanted value is compared for equality, a function decides itself. Raises KeyError,
    listing the names there are, if no row has a param, metric or field of a name.
    """
    needed = frozenset([tags] if isinstance(tags, str) else tags or ())
    unseen = set(fields)
    names = set(_FIELDS)
    wanted = list(fields.values())
    for place, row in enumerate(rows):
        found = {name: field_of(row, name) for name in fields}
        if unseen:
            unseen.difference_update(n for n, value in found.items() if value is not ABSENT)
            names.update(row.params, row.metrics)
        as_wanted = status is None or _fits(row.status, status)
        if as_wanted and needed.issubset(row.tags) and all(map(_fits, found.values(), wanted)):
            yield place
    if unseen and len(names) > len(_FIELDS):
        raise missing("these runs have", "param, metric or field", min(unseen), names)


def with_status(statuses: Iterable[str], wanted: Any) -> Iterator[int]:
    """Yield the places of the statuses that are wanted."""
    fits = cache(lambda status: wanted is None or _fits(status, wanted))
    return (place for place, status in enumerate(statuses) if fits(status))


def _fits(value: Any, wanted: Any) -> bool:
    if value is ABSENT:
        return False
    if callable(wanted):
        return bool(wanted(value))
    if isinstance(wanted, float) and isinstance(value, float) and isnan(wanted):
        return isnan(value)
    if getattr(value, "shape", ()) != getattr(wanted, "shape", ()):
        return False
    equal = value == wanted
    # Arrays compare element by element.
    return equal if isinstance(equal, bool) else bool(equal.all())
