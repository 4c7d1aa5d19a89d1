"""Conditions: what is known in SQL of a filter, which may be less than the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from psycopg import sql

from metalab_postgres.sources import OBJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab_postgres.sources import JsonSource

__all__ = ["EVERY", "Condition", "joined", "or_unknown"]


@attrs.frozen
class Condition:
    """What holds of a row at least where a filter does, and what holds at most there."""

    may: sql.Composable
    must: sql.Composable

    @classmethod
    def exactly(cls, test: sql.Composable) -> Condition:
        """Make a condition of which SQL knows all."""
        return cls(test, test)

    @property
    def is_exact(self) -> bool:
        """Whether SQL alone decides."""
        return self.may is self.must

    def negated(self) -> Condition:
        """Return the opposite."""
        may = sql.SQL("({} IS NOT TRUE)").format(self.must)
        return Condition(
            may, may if self.is_exact else sql.SQL("({} IS NOT TRUE)").format(self.may)
        )


EVERY = Condition.exactly(sql.SQL("true"))
"""What holds of every row."""


def joined(word: str, parts: Sequence[Condition]) -> Condition:
    """Join conditions with the SQL of ``and`` or ``or``."""

    def both(each: Sequence[sql.Composable]) -> sql.Composable:
        return sql.SQL("({})").format(sql.SQL(word).join(each))

    may = both([part.may for part in parts])
    exact = all(part.is_exact for part in parts)
    return Condition(may, may if exact else both([part.must for part in parts]))


def or_unknown(source: JsonSource, known: sql.Composable) -> Condition:
    """Let a condition hold perhaps of values that SQL does not know."""
    if not source.may_be(OBJECT):
        return Condition.exactly(known)
    return Condition(sql.SQL("({} OR {})").format(known, source.is_unknown), known)
