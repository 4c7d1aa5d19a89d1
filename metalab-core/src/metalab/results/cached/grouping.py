"""Groups of rows by columns: whole columns at a time, where lines would be looked at in turn.

The groups are those of ``metalab.store.query.groups``, which says what is told of them.
"""

from __future__ import annotations

from itertools import chain
from operator import countOf, eq, itemgetter
from typing import TYPE_CHECKING, Any

from metalab.records import Status
from metalab.store.query.expression import Column
from metalab.store.query.groups import is_number, told
from metalab.store.query.order import sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from metalab.store.query.query import Aggregate

__all__ = ["groups_of"]

_PLAIN = {bool, int, float, str}
"""Types whose values are equal as objects if they are in a query, NaN apart."""


def groups_of(
    aggregate: Aggregate, rows: Sequence[int], values: Mapping[Column, Sequence[Any]]
) -> list[tuple[Any, ...]]:
    """Return a row for each group; ``rows`` are numbers of rows, in the order of the plan."""
    by = [values[column] for column in aggregate.by]
    of = [values[column] for column in aggregate.of]
    statuses = values[Column("status")]
    are_numbers = [_are_numbers(each) for each in of]
    made = []
    for members in _members(rows, by):
        numbers = [
            taken if plain else [value for value in taken if is_number(value)]
            for taken, plain in zip(map(_taker(members), of), are_numbers, strict=True)
        ]
        shown = tuple(each[members[0]] for each in by)
        failed = countOf(_taker(members)(statuses), Status.FAILED)
        made.append((*shown, len(members), failed, *chain.from_iterable(map(told, numbers))))
    return made


def _members(rows: Sequence[int], by: Sequence[Sequence[Any]]) -> Iterable[list[int]]:
    """Return the rows of each group, in the order in which groups are met."""
    found: dict[Any, list[int]] = {}
    take = _taker(rows)
    keys = [_keys(take(values)) for values in by]
    for row, key in zip(rows, zip(*keys, strict=True) if by else [()] * len(rows), strict=True):
        if (members := found.get(key)) is None:
            members = found[key] = []
        members.append(row)
    return found.values()


def _keys(values: Sequence[Any]) -> Iterable[Any]:
    """Return what is equal for equal values; of plain ones a key is made but once each."""
    kinds = set(map(type, values)) - {type(None)}
    if len(kinds) > 1 or not kinds <= _PLAIN:
        return map(sort_key, values)
    numbers: dict[Any, int] = {}
    known = {value: numbers.setdefault(sort_key(value), len(numbers)) for value in set(values)}
    return map(known.__getitem__, values)


def _are_numbers(values: Sequence[Any]) -> bool:
    """Tell whether all of them are floats, and none is NaN."""
    return countOf(map(type, values), float) == len(values) and all(map(eq, values, values))


def _taker(rows: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return what takes rows from a column."""
    if len(rows) == 1:
        return lambda values: [values[rows[0]]]
    return itemgetter(*rows) if rows else lambda _values: ()
