"""Groups: runs taken together by equal values, and what is told of each group."""

from __future__ import annotations

import math
from operator import countOf
from typing import TYPE_CHECKING, Any

import attrs

from metalab.records import Status
from metalab.store.query.expression import Column
from metalab.store.query.interval import Sample
from metalab.store.query.order import NUMBER, kind_of, sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from metalab.store.query.query import Aggregate

__all__ = ["TOLD", "Group", "as_float", "column_names", "grouped", "is_number", "told"]

TOLD = ("n", "mean", "sd", "min", "max", "low", "high")
"""What is told of each column."""


def column_names(aggregate: Aggregate) -> tuple[str, ...]:
    """Return the columns of a table of groups."""
    told = (f"{column}.{name}" for column in aggregate.of for name in TOLD)
    return (*map(str, aggregate.by), "runs", "failed", *told)


@attrs.define
class Group:
    """A group so far: where its first run stands in the plan, that run's ``by`` values, and
    the numbers met in each column.
    """

    place: tuple[Any, ...]
    shown: tuple[Any, ...]
    numbers: list[list[Any]]
    runs: int = 0
    failed: int = 0

    def row(self) -> tuple[Any, ...]:
        """Return the group as a row of a table with the columns of ``column_names``."""
        return (*self.shown, self.runs, self.failed, *(v for n in self.numbers for v in told(n)))


def grouped(
    aggregate: Aggregate,
    rows: Iterable[Any],
    getters: Mapping[Column, Callable[[Any], Any]],
    place_of: Callable[[Any], tuple[Any, ...]],
) -> list[tuple[Any, ...]]:
    """Return a row for each group, in the order of the plan; their numbers are held meanwhile."""
    by, of = ([getters[column] for column in each] for each in (aggregate.by, aggregate.of))
    status = getters[Column("status")]
    groups: dict[Any, Group] = {}
    for row in rows:
        values = tuple(get(row) for get in by)
        key, place = tuple(map(sort_key, values)), place_of(row)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(place, values, [[] for _ in of])
        elif place < group.place:
            group.place, group.shown = place, values
        group.runs += 1
        group.failed += status(row) == Status.FAILED
        for numbers, get in zip(group.numbers, of, strict=True):
            value = get(row)
            # Nearly all are floats, and to ask for their kind costs more than to keep them.
            if value == value if type(value) is float else is_number(value):  # noqa: PLR0124  NaN
                numbers.append(value)
    return [group.row() for group in sorted(groups.values(), key=lambda group: group.place)]


def is_number(value: Any) -> bool:
    """Tell whether an aggregate takes a value in."""
    return kind_of(value) == NUMBER and not value != value  # noqa: PLR0124, SIM202  NaN


def told(numbers: Sequence[Any]) -> tuple[Any, ...]:
    """Return what is told of numbers, none of them NaN."""
    are_floats = countOf(map(type, numbers), float) == len(numbers)
    sample = Sample.of(numbers if are_floats else list(map(as_float, numbers)))
    ends = (min(numbers, default=None), max(numbers, default=None))
    return (sample.n, sample.mean, sample.sd, *ends, sample.low, sample.high)


def as_float(value: Any) -> float:
    """Return a number as a float, infinite where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
