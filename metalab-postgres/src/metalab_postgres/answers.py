"""Answers to queries from the index, the same as those from files.

``metalab.store.query`` says what a query means, ``metalab_postgres.translation`` what of it is
worked out in SQL. Python then decides on the rows that come back with the very code that
decides for files, so that an answer can be short of rows, but never differ in another way.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import attrs
from psycopg import sql

from metalab.store.query.answer import answer_of_groups, answer_of_rows
from metalab.store.query.evaluate import test_of
from metalab_postgres.conditions import EVERY
from metalab_postgres.fetching import Reader
from metalab_postgres.grouping import groups_of
from metalab_postgres.meanings import meanings_of
from metalab_postgres.ordering import groups_in_order, is_apart
from metalab_postgres.translation import condition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from psycopg import Cursor

    from metalab.store.query.expression import Column
    from metalab.store.query.query import Query
    from metalab.store.query.table import Table
    from metalab_postgres.conditions import Condition
    from metalab_postgres.meanings import Meanings
    from metalab_postgres.ordering import Part

__all__ = ["answer"]

_SPARE = 64
_GROWTH = 8
_FIRST_VALUE = 2  # after a row's place and id


def answer(cursor: Cursor[Any], experiment_id: str, query: Query) -> Table:
    """Answer a query about the runs of an experiment, as ``Store.query`` does.

    ``cursor`` reads the index's schema as it is at one moment; see ``PostgresIndex.reading``.
    Raises QueryError as ``Store.query`` does.
    """
    reader = Reader.of(cursor, experiment_id)
    meanings = meanings_of(reader, query.needed())
    condition = EVERY if query.filter is None else condition_of(query.filter, meanings.sources)
    getters = {
        column: itemgetter(place) for place, column in enumerate(meanings.sources, _FIRST_VALUE)
    }
    if query.aggregate is not None and condition.is_exact:
        odd = _passing(query, meanings.odd, getters)
        groups = groups_of(reader, query.aggregate, condition.may, meanings.sources, odd)
        return answer_of_groups(query, groups)
    rows = _Rows(reader, query, meanings, condition, getters)
    return answer_of_rows(query, rows.needed(), getters, _place)


def _place(row: list[Any]) -> tuple[int, str]:
    return row[0], row[1]


def _passing(
    query: Query, rows: Iterable[list[Any]], getters: Mapping[Column, Callable[[Any], Any]]
) -> list[list[Any]]:
    if query.filter is None:
        return list(rows)
    return list(filter(test_of(query.filter, getters), rows))


@attrs.frozen
class _Rows:
    """The rows of which an answer is made."""

    reader: Reader
    query: Query
    meanings: Meanings
    condition: Condition
    getters: Mapping[Column, Callable[[Any], Any]]

    def needed(self) -> Iterable[list[Any]]:
        """Return a superset of the rows that the answer shows, as small as may be."""
        limit = None if self.query.aggregate is not None else self.query.limit
        if limit is None:
            yield from self._fetch(self.condition.may)
        elif limit:
            yield from self._first(self.query.offset + limit)
        yield from self.meanings.odd

    def _first(self, wanted: int) -> Iterable[list[Any]]:
        sorting = [
            (self.meanings.sources[each.column], each.descending) for each in self.query.sort
        ]
        where = self.condition.may
        apart = is_apart([source for source, _ in sorting])
        if apart is not None:
            yield from self._fetch(sql.SQL("{} AND {}").format(where, apart))
            where = sql.SQL("{} AND NOT {}").format(where, apart)
        for group in groups_in_order(sorting):
            found = [row for part in group for row in self._first_of(part, where, wanted)]
            yield from found
            wanted -= len(found)
            if wanted <= 0:
                return

    def _first_of(self, part: Part, where: sql.Composable, wanted: int) -> list[list[Any]]:
        """Return the first rows of a part that pass the filter, at least so many if it has them."""
        size = wanted if self.condition.is_exact else 2 * wanted + _SPARE
        while True:
            rows = list(self._fetch(where, part, size))
            passing = _passing(self.query, rows, self.getters)
            if len(passing) >= wanted or len(rows) < size:
                return passing
            size *= _GROWTH

    def _fetch(
        self, where: sql.Composable, part: Part | None = None, limit: int | None = None
    ) -> Iterable[list[Any]]:
        return self.reader.rows(where, list(self.meanings.sources.values()), part, limit)
