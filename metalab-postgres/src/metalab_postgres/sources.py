"""Sources: where the values of a query's columns stand in the index.

A record's own columns are texts or numbers; params, metrics, the seed and the tags are jsonb,
in which any kind of value may stand. What is not a value of JSON is tagged there, as
``metalab.identity.values`` writes it: of the tags SQL understands ``$float``, ``$tuple`` and
``$int`` in decimal; what another stands for is *unknown* to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from psycopg import sql

from metalab_postgres.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.store.query.expression import Column

__all__ = [
    "ANY_KIND",
    "ARRAY",
    "BOOLEAN",
    "NUMBER",
    "OBJECT",
    "TEXT",
    "JsonSource",
    "NumberSource",
    "Source",
    "TextSource",
    "is_bindable",
    "source_of",
]

ANY_KIND = sum(KINDS.values())
BOOLEAN, TEXT, ARRAY, OBJECT = (KINDS[kind] for kind in ("boolean", "string", "array", "object"))
NUMBER = KINDS["integer"] | KINDS["float"]


@attrs.frozen
class TextSource:
    """A column of texts, null where one is missing."""

    value: sql.Composable


@attrs.frozen
class NumberSource:
    """A column of exact numbers, null where one is missing."""

    value: sql.Composable


@attrs.frozen
class JsonSource:
    """A jsonb, missing where it is null in either sense; ``kinds`` are those it may be of.

    One from params or metrics stands under ``name`` in the object ``section``.
    """

    value: sql.Composable
    kinds: int = ANY_KIND
    section: str = ""
    name: str = ""

    def may_be(self, kinds: int) -> bool:
        """Tell whether a value may be of one of some kinds."""
        return bool(self.kinds & kinds)

    @property
    def has_integers(self) -> bool:
        """Whether a value may be an integer, of which float8 may not hold all digits."""
        return self.may_be(KINDS["integer"])

    @property
    def kind(self) -> sql.Composable:
        """The kind of the value, as jsonb_typeof names it."""
        return sql.SQL("jsonb_typeof({})").format(self.value)

    @property
    def text(self) -> sql.Composable:
        """The text of a string."""
        return sql.SQL("({} #>> '{{}}' COLLATE \"C\")").format(self.value)

    @property
    def number(self) -> sql.Composable | None:
        """The float8 of a plain number, null for all else, as indexes have it."""
        if not self.section:
            return None
        section, name = sql.Identifier(self.section), sql.Literal(self.name)
        return sql.SQL("num({}, {})").format(section, name)

    @property
    def is_missing(self) -> sql.Composable:
        """Whether there is no value."""
        return sql.SQL("coalesce({} = 'null'::jsonb, true)").format(self.value)

    @property
    def is_unknown(self) -> sql.Composable:
        """Whether SQL cannot tell what the value is, or compare it."""
        return sql.SQL(
            "({kind} = 'object' AND NOT {value} ?| ARRAY['$float', '$tuple'] "
            "AND coalesce({value} ->> '$int' ~ 'x', true))"
        ).format(kind=self.kind, value=self.value)


Source = TextSource | NumberSource | JsonSource

_ERROR = (
    "CASE WHEN error IS NOT NULL THEN coalesce(error ->> 'type', 'None') || ': ' || "
    "coalesce(error ->> 'message', 'None') END"
)
_RECORD: dict[str, Source] = {
    "run_id": TextSource(sql.SQL("run_id")),
    "index": NumberSource(sql.SQL("plan_index")),
    "experiment_id": TextSource(sql.SQL("experiment_id")),
    "status": TextSource(sql.SQL("status")),
    "started_at": TextSource(sql.SQL("started_at")),
    "finished_at": TextSource(sql.SQL("finished_at")),
    "duration_ms": NumberSource(sql.SQL("duration_ms")),
    "seed": JsonSource(sql.SQL("seed")),
    "replicate": NumberSource(sql.SQL("replicate")),
    "attempt": NumberSource(sql.SQL("attempt")),
    "code_hash": TextSource(sql.SQL("nullif(code, '')")),
    "tags": JsonSource(sql.SQL("tags")),
    "notes": TextSource(sql.SQL("notes")),
    "error": TextSource(sql.SQL(f'({_ERROR}) COLLATE "C"')),
    "error.type": TextSource(sql.SQL("(error ->> 'type') COLLATE \"C\"")),
    "error.message": TextSource(sql.SQL("(error ->> 'message') COLLATE \"C\"")),
}


def source_of(column: Column, kinds: Mapping[tuple[str, str], int]) -> Source:
    """Return where a column's values are; ``kinds`` are those of params and metrics, by name."""
    if not column.section:
        return _RECORD[column.name]
    if not is_bindable(column.name):  # then no row but odd ones has such a name
        return JsonSource(sql.SQL("NULL::jsonb"), 0)
    value = sql.SQL("({} -> {})").format(sql.Identifier(column.section), sql.Literal(column.name))
    known = kinds.get((column.section, column.name), 0)
    return JsonSource(value, known, column.section, column.name)


def is_bindable(text: str) -> bool:
    """Tell whether a text can be a value in the database."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True
