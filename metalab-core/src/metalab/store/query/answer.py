"""The answer to a query from the folded lines of a store, read once and let go as they pass.

What is held at any time is a block of lines and the answer so far: with a limit, no more rows
than that. Only aggregates hold the numbers that they take together.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from metalab.errors import QueryError
from metalab.store.query.evaluate import test_of
from metalab.store.query.groups import column_names, grouped
from metalab.store.query.order import sort_key
from metalab.store.query.pruned import Pruned
from metalab.store.query.query import Aggregate
from metalab.store.query.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from metalab.store.query.expression import Column
    from metalab.store.query.lines import Lines
    from metalab.store.query.query import Query, Sort

    Getter = Callable[[Any], Any]
    PlaceOf = Callable[[Any], tuple[Any, ...]]

__all__ = ["answer", "answer_of_groups", "answer_of_rows"]


def answer(query: Query, lines: Lines) -> Table:
    """Answer a query; raises QueryError for a name that means nothing or two things."""
    pruned = Pruned(query.needed())
    return answer_of_rows(query, pruned.rows(lines), pruned.getters, _place)


def answer_of_rows(
    query: Query, rows: Iterable[Any], getters: Mapping[Column, Getter], place_of: PlaceOf
) -> Table:
    """Answer a query from rows, whatever they are, of at least the runs that its filter chooses.

    ``getters`` take the values of columns from a row, ``place_of`` what orders rows
    as the plan does.
    """
    if query.filter is not None:
        rows = filter(test_of(query.filter, getters), rows)
    if query.aggregate is not None:
        return answer_of_groups(query, grouped(query.aggregate, rows, getters, place_of))
    sorting = [getters[each.column] for each in query.sort]
    first = _first(query, rows, _key(query.sort, sorting, place_of))
    shown = [getters[column] for column in query.shown]
    values = tuple(tuple(get(row) for get in shown) for row in first)
    return Table(tuple(map(str, query.shown)), values)


def _place(row: Any) -> tuple[int, str]:
    return max(row.index, 0), row.id


def _key(
    sort: Sequence[Sort],
    getters: Sequence[Getter],
    place: PlaceOf,
) -> Callable[[Any], tuple[Any, ...]]:
    if not sort:
        return place
    parts = [(get, each.descending) for get, each in zip(getters, sort, strict=True)]
    return lambda row: (*(sort_key(get(row), descending=down) for get, down in parts), *place(row))


def _first(query: Query, rows: Iterable[Any], key: Callable[[Any], tuple[Any, ...]]) -> list[Any]:
    if query.limit is None:
        return sorted(rows, key=key)[query.offset :]
    # With nothing wanted, nsmallest would look at no row, and so at no name.
    return nsmallest(max(query.offset + query.limit, 1), rows, key)[query.offset :][: query.limit]


def answer_of_groups(query: Query, groups: list[tuple[Any, ...]]) -> Table:
    """Answer a query for aggregates from the rows of its groups, in the order of the plan."""
    names = column_names(query.aggregate or Aggregate())
    places = {name: place for place, name in enumerate(names)}
    for name in map(str, (*query.columns, *(each.column for each in query.sort))):
        if name not in places:
            raise QueryError(f"groups have no column {name!r}; there is {', '.join(names)}")
    # Sorted last by what counts most: sorting keeps the order of what is equal.
    for each in reversed(query.sort):
        groups.sort(key=_group_key(places[str(each.column)], each.descending))
    chosen = [places[str(column)] for column in query.columns] or range(len(names))
    end = None if query.limit is None else query.offset + query.limit
    values = tuple(tuple(row[place] for place in chosen) for row in groups[query.offset : end])
    return Table(tuple(names[place] for place in chosen), values)


def _group_key(place: int, descending: bool) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    return lambda row: sort_key(row[place], descending=descending)
