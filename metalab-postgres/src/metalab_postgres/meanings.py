"""What the names of a query mean: found in the catalogue of names, and in the odd rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from psycopg import sql

from metalab.store.query.expression import Column
from metalab.store.query.pruned import RECORD, Pruned, check_meaning, names_in
from metalab_postgres.schema import KINDS
from metalab_postgres.sources import is_bindable, source_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab_postgres.fetching import Reader
    from metalab_postgres.sources import Source

__all__ = ["Meanings", "meanings_of"]

_SECTIONS = ("params", "metrics")
_FIELDS = "SELECT section, name, kinds FROM fields WHERE exp = %s AND name = ANY(%s)"


@attrs.frozen
class Meanings:
    """The columns that a query needs: where the index has them, and their values in odd rows.

    ``odd`` are rows as those of ``Reader.rows``.
    """

    sources: dict[Column, Source]
    odd: list[list[Any]]


def meanings_of(reader: Reader, columns: Sequence[Column]) -> Meanings:
    """Find the columns; raises QueryError for a bare name that means nothing or two things."""
    kinds = _kinds(reader, [column for column in columns if not _is_of_record(column)])
    odd = reader.odd_lines()
    meant = {column: _meant(reader, column, kinds, odd) for column in columns}
    sources = {column: source_of(meaning, kinds) for column, meaning in meant.items()}
    return Meanings(sources, _odd_rows(odd, list(meant.values())))


def _is_of_record(column: Column) -> bool:
    return not column.section and column.name in RECORD


def _kinds(reader: Reader, columns: Sequence[Column]) -> dict[tuple[str, str], int]:
    names = [column.name for column in columns if is_bindable(column.name)]
    if not names:
        return {}
    reader.cursor.execute(_FIELDS, [reader.exp, names])
    return {(section, name): kinds for section, name, kinds in reader.cursor.fetchall()}


def _meant(
    reader: Reader, column: Column, kinds: dict[tuple[str, str], int], odd: Sequence[bytes]
) -> Column:
    if column.section or _is_of_record(column):
        return column
    both = {section: Column(column.name, section) for section in _SECTIONS}
    found = [section for section, each in both.items() if _has(reader, each, kinds, odd)]
    if len(found) != 1 and (odd or reader.has(sql.SQL("true"))):
        check_meaning(column, found, lambda: _names(reader, odd))
    return both[found[0] if found else _SECTIONS[0]]


def _has(
    reader: Reader, column: Column, kinds: dict[tuple[str, str], int], odd: Sequence[bytes]
) -> bool:
    """Tell whether a run has a value there: a name in the catalogue may be of displaced lines."""
    if any(row[2] is not None for row in _odd_rows(odd, [column])):
        return True
    if not kinds.get((column.section, column.name), 0) & ~KINDS["null"]:
        return False
    source = source_of(column, kinds)
    return reader.has(sql.SQL("{} <> 'null'::jsonb").format(source.value))


def _odd_rows(lines: Sequence[bytes], columns: Sequence[Column]) -> list[list[Any]]:
    if not lines:
        return []
    pruned = Pruned(columns)
    getters = [pruned.getters[column] for column in columns]
    rows = pruned.decoded(b"\n".join(lines))
    return [[max(row.index, 0), row.id, *(get(row) for get in getters)] for row in rows]


def _names(reader: Reader, odd: Sequence[bytes]) -> set[str]:
    """Return the names of all params and metrics that runs have now."""
    found = names_in(odd)
    for section in _SECTIONS:
        where = sql.SQL("{} IS NOT NULL").format(sql.Identifier(section))
        query = sql.SQL("SELECT DISTINCT jsonb_object_keys({}) {}").format(
            sql.Identifier(section), reader.runs(where)
        )
        reader.cursor.execute(query)
        found |= {row[0] for row in reader.cursor.fetchall()}
    return found
