"""Expressions: a filter taken apart, as frozen values, and its text again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "And",
    "Column",
    "Comparison",
    "Expression",
    "Has",
    "Literal",
    "Member",
    "Missing",
    "Not",
    "Or",
    "columns_of",
    "written",
]

Literal = bool | int | float | str | None
"""What a filter compares with; None is null."""

_plain = re.compile(r"[^\W\d][\w./-]*").fullmatch
_SECTIONS = ("params", "metrics")


@attrs.frozen
class Column:
    """A column of a run: of its ``params``, its ``metrics``, or a bare name, without a section."""

    name: str
    section: str = ""

    def __str__(self) -> str:
        if not self.section:
            return self.name
        plain = _plain("_" + self.name) and self.name
        return f"{self.section}.{self.name if plain else _quoted(self.name)}"

    @classmethod
    def of(cls, text: str) -> Column:
        """Take a name apart: what follows ``params.`` or ``metrics.`` is the name in there."""
        section, dot, name = text.partition(".")
        return cls(name, section) if dot and name and section in _SECTIONS else cls(text)


@attrs.frozen
class Comparison:
    """A column compared with a literal by one of ``= != < <= > >= ~=``."""

    column: Column
    sign: str
    value: Literal = attrs.field(eq=repr)  # by which NaN is itself, and 1 is not true


@attrs.frozen
class Member:
    """A column's value is equal to one of some literals."""

    column: Column
    values: tuple[Literal, ...] = attrs.field(eq=repr)


@attrs.frozen
class Has:
    """A column's value is a list or tuple with an element equal to a literal."""

    column: Column
    value: Literal = attrs.field(eq=repr)


@attrs.frozen
class Missing:
    """A run has no value in a column."""

    column: Column


@attrs.frozen
class Not:
    """The opposite of an expression."""

    part: Expression


@attrs.frozen
class And:
    """All of two or more expressions hold."""

    parts: tuple[Expression, ...] = attrs.field(validator=attrs.validators.min_len(2))


@attrs.frozen
class Or:
    """One of two or more expressions holds."""

    parts: tuple[Expression, ...] = attrs.field(validator=attrs.validators.min_len(2))


Expression = Comparison | Member | Has | Missing | Not | And | Or


def columns_of(expression: Expression) -> Iterator[Column]:
    """Yield the columns that an expression asks for."""
    if isinstance(expression, And | Or):
        for part in expression.parts:
            yield from columns_of(part)
    elif isinstance(expression, Not):
        yield from columns_of(expression.part)
    else:
        yield expression.column


def written(expression: Expression) -> str:
    """Write an expression as the text that is parsed into it again."""
    match expression:
        case Comparison(column, sign, value):
            return f"{column} {sign} {_literal(value)}"
        case Member(column, values):
            return f"{column} in ({', '.join(map(_literal, values))})"
        case Has(column, value):
            return f"{column} has {_literal(value)}"
        case Missing(column):
            return f"{column} is missing"
        case Not(part):
            return f"not {_enclosed(part)}"
        case And(parts) | Or(parts):
            word = " and " if isinstance(expression, And) else " or "
            return word.join(map(_enclosed, parts))


def _enclosed(expression: Expression) -> str:
    text = written(expression)
    return f"({text})" if isinstance(expression, And | Or | Not) else text


def _literal(value: Literal) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'
