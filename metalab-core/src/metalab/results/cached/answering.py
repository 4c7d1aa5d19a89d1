"""Answers from the columns of a log: what its lines would answer, without decoding them again."""

from __future__ import annotations

from itertools import chain, islice
from operator import lt
from typing import TYPE_CHECKING, Any

from metalab.results.cached.building import INDEX
from metalab.results.cached.grouping import groups_of
from metalab.results.columns import RECORD_COLUMNS, metric_column
from metalab.store.query.answer import answer_of_groups, answer_of_rows
from metalab.store.query.evaluate import test_of
from metalab.store.query.expression import Column
from metalab.store.query.pruned import RECORD, check_meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from metalab.results.cached.reading import CachedColumns
    from metalab.store.query.query import Query
    from metalab.store.query.table import Table

__all__ = ["answer_from"]

_INDEX = Column("index")
_SECTIONS = ("params", "metrics")
_KEPT = RECORD.keys() & {*RECORD_COLUMNS, "index"} - {"tags"}
"""Columns of the record as their lines have them; tags have become tuples."""


def answer_from(
    columns: CachedColumns, query: Query, chosen: Sequence[str] | None = None
) -> Table | None:
    """Answer a query about the chosen runs, or about all; None if the columns do not tell.

    Raises QueryError for a name that means nothing or two things, as ``answer`` does.
    """
    needed = dict.fromkeys((*query.needed(), _INDEX))
    if any(not each.section and each.name in RECORD.keys() - _KEPT for each in needed):
        return None
    values = _values(columns, chosen, needed)
    getters = {column: each.__getitem__ for column, each in values.items()}
    places: Sequence[Any] = values[_INDEX]
    rows = list(range(len(places)))
    if not all(map(lt, places, islice(places, 1, None))):
        ids = columns.named(["run_id"], chosen)["run_id"]
        places = list(zip(places, ids, strict=True))
        rows.sort(key=places.__getitem__)
    if query.aggregate is None:
        return answer_of_rows(query, rows, getters, lambda row: (places[row],))
    if query.filter is not None:
        rows = list(filter(test_of(query.filter, getters), rows))
    return answer_of_groups(query, groups_of(query.aggregate, rows, values))


def _values(
    columns: CachedColumns, chosen: Sequence[str] | None, needed: Iterable[Column]
) -> dict[Column, Sequence[Any]]:
    """Return the values of each column of a query, by the rows' numbers."""
    names = {column: _names(column) for column in needed}
    made = columns.named({name for each in names.values() for name in each}, chosen)
    found = {name: list(each) for name, each in made.items()}
    values: dict[Column, Sequence[Any]] = {}
    for column, (name, *more) in names.items():
        values[column] = (
            _meant(columns, column, found[name], found[more[0]]) if more else found[name]
        )
    if min(values[_INDEX], default=0) < 0:
        values[_INDEX] = [max(index, 0) for index in values[_INDEX]]
    return values


def _names(column: Column) -> tuple[str, ...]:
    """Return the columns of a table that a column may mean: of a bare name's, the param first."""
    if column == _INDEX:
        return (INDEX,)
    if not column.section and column.name in RECORD:
        return (column.name,)
    names = dict(zip(_SECTIONS, (f"param_{column.name}", metric_column(column.name)), strict=True))
    return (names[column.section],) if column.section else tuple(names.values())


def _meant(columns: CachedColumns, column: Column, *values: list[Any]) -> Sequence[Any]:
    """Return the values of a column; those of a bare name from the section that has it."""
    if len(values) == 1:
        return values[0]
    by_section = dict(zip(_SECTIONS, values, strict=True))
    seen = [name for name, each in by_section.items() if each.count(None) < len(each)]
    if values[0]:
        check_meaning(column, seen, lambda: {*chain(*map(columns.names_of, _SECTIONS))})
    return by_section[seen[0] if seen else "params"]
