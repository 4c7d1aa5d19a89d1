"""Fetching from the index: JSON that the server makes, of many rows in each message.

``COPY`` sends it as it is made, so that memory stays bounded here. A row is an array of its
place in the plan, its run's id and its values.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
from psycopg import sql

from metalab.identity.values import from_jsonable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Cursor

    from metalab_postgres.ordering import Part
    from metalab_postgres.sources import Source

__all__ = ["Reader"]

_BLOCK = 256  # rows in a message
_ARGUMENTS = 50  # a function of PostgreSQL takes a hundred at most
_decode = msgspec.json.Decoder(list[Any]).decode_lines

# Without memory rows are sorted to be grouped, which takes twice the time of hashing them.
_BEGIN = """
SELECT (SELECT exp FROM experiments WHERE experiment_id = %s), set_config('work_mem', CASE
    WHEN pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB') THEN '64MB'
    ELSE current_setting('work_mem') END, true)
"""
_RUNS = "FROM runs WHERE exp = {exp} AND rank >= 0 AND line IS NULL AND {where}"
_ODD = "SELECT line FROM runs WHERE exp = %s AND rank >= 0 AND line IS NOT NULL"
# No character that marks a field's end or quotes it can stand in JSON.
_COPY = """
COPY (
    SELECT string_agg(line, E'\\n') FROM (
        SELECT line, row_number() OVER () / {block} AS block FROM ({lines}) AS made (line)
    ) AS numbered GROUP BY block
) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
"""


@attrs.frozen
class Reader:
    """Reads the current records of one experiment, by its number in the index."""

    cursor: Cursor[Any]
    exp: int

    @classmethod
    def of(cls, cursor: Cursor[Any], experiment_id: str) -> Reader:
        """Find the experiment; one that the index does not have has no runs."""
        cursor.execute(_BEGIN, [experiment_id])
        (exp, _) = cursor.fetchone() or (None, None)
        return cls(cursor, exp or 0)

    def runs(self, where: sql.Composable) -> sql.Composed:
        """Return the clauses that choose among the runs that are not odd."""
        return sql.SQL(_RUNS).format(exp=sql.Literal(self.exp), where=where)

    def odd_lines(self) -> list[bytes]:
        """Return the lines of the runs whose values the columns do not hold."""
        self.cursor.execute(_ODD, [self.exp])
        return [row[0] for row in self.cursor.fetchall()]

    def has(self, where: sql.Composable) -> bool:
        """Tell whether there is such a run."""
        query = sql.SQL("SELECT EXISTS (SELECT {})").format(self.runs(where))
        self.cursor.execute(query)
        return bool((self.cursor.fetchone() or (False,))[0])

    def rows(
        self,
        where: sql.Composable,
        values: Sequence[Source],
        part: Part | None = None,
        limit: int | None = None,
    ) -> Iterator[list[Any]]:
        """Yield the place, the id and the values of runs: all, or the first ones of a part."""
        if part is None or limit is None:
            lines = sql.SQL("SELECT {} {}").format(_line(values), self.runs(where))
        else:
            # Chosen before anything is made of them: JSON of all would take far longer.
            where = sql.SQL("{} AND {}").format(where, part.where)
            lines = sql.SQL("SELECT {} FROM (SELECT * {} ORDER BY {} LIMIT {}) AS first").format(
                _line(values), self.runs(where), part.order, sql.Literal(limit)
            )
        width = -(-len(values) // _ARGUMENTS)
        for block in self.documents(lines):
            rows = _decode(block)
            if width == 1:
                rows = [[row[0], row[1], *row[2]] for row in rows]
            else:
                rows = [[row[0], row[1], *chain.from_iterable(row[2:])] for row in rows]
            yield from map(_revived, rows) if b'"$' in block else rows

    def documents(self, lines: sql.Composable) -> Iterator[bytes]:
        """Yield blocks of lines: what a query of one column of JSON finds."""
        query = sql.SQL(_COPY).format(block=sql.Literal(_BLOCK), lines=lines)
        with self.cursor.copy(query) as copy:
            for message in copy:
                yield bytes(message).strip(b"\x01\n")


def _line(values: Sequence[Source]) -> sql.Composable:
    given = [source.value for source in values]
    chunks = [given[i : i + _ARGUMENTS] for i in range(0, len(given), _ARGUMENTS)]
    arrays = [sql.SQL("json_build_array({})").format(sql.SQL(", ").join(each)) for each in chunks]
    parts = sql.SQL(", ").join([sql.SQL("plan_index"), sql.SQL("run_id"), *arrays])
    return sql.SQL("json_build_array({})::text").format(parts)


def _revived(row: list[Any]) -> list[Any]:
    return [from_jsonable(each) if isinstance(each, dict | list) else each for each in row]
