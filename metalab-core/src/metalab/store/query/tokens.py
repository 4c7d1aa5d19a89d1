"""Tokens: the text of a query cut into words, literals and signs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from metalab.errors import QueryError

if TYPE_CHECKING:
    from metalab.store.query.expression import Literal

__all__ = ["Token", "fault", "tokens_of"]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<number>[+-]?(?:inf|nan|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![\w./-]))
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<quoted>(?:params|metrics)\."(?:[^"\\]|\\.)*")
    | (?P<word>[^\W\d][\w./-]*)
    | (?P<sign>==|!=|<=|>=|~=|[=<>~(),-])
    """,
    re.VERBOSE | re.DOTALL,
)
_SAME = {"==": "=", "~": "~="}
_MOST_DIGITS = 4000


@attrs.frozen
class Token:
    """A piece of a query: its kind, its text as meant, and the column it begins at, from 1."""

    kind: str
    text: str
    at: int
    value: Literal = None

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


def fault(source: str, at: int, found: str, accepted: str) -> QueryError:
    """Make the error of a text: where in it, what was found, and what is accepted there."""
    return QueryError(
        f"query {source!r}, column {at}: {found} was found where {accepted} is expected"
    )


def tokens_of(source: str) -> list[Token]:
    """Cut a text up; the last token is its end. Raises QueryError for what is no token."""
    found: list[Token] = []
    place = 0
    while place < len(source):
        match = _TOKEN.match(source, place)
        if match is None:
            accepted = "a closing quote" if source[place] in "\"'" else "a name, literal or sign"
            raise fault(source, place + 1, repr(source[place]), accepted)
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(_token(source, kind, match[0], place + 1))
        place = match.end()
    found.append(Token("end", "", len(source) + 1))
    return found


def _token(source: str, kind: str, text: str, at: int) -> Token:
    if kind == "number":
        if len(text) > _MOST_DIGITS:
            digits = f"a number of {len(text)} characters"
            raise fault(source, at, digits, f"one of at most {_MOST_DIGITS}")
        return Token(kind, text, at, _number(text))
    if kind == "text":
        return Token(kind, text, at, _unquoted(text))
    if kind == "quoted":
        section, _, name = text.partition(".")
        return Token(kind, section, at, _unquoted(name))
    return Token(kind, _SAME.get(text, text), at)


def _number(text: str) -> int | float:
    if text.lstrip("+-").isdigit():
        return int(text)
    return float(text)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
