r"""The grammar of queries, read by recursive descent. Nothing is ever evaluated as code.

    filter   = both {"or" both}
    both     = one {"and" one}
    one      = "not" one | "(" filter ")" | test
    test     = column ("=" | "==" | "!=" | "<" | "<=" | ">" | ">=") literal
             | column ("~=" | "~") text
             | column ["not"] "in" "(" literal {"," literal} ")"
             | column "has" literal
             | column "is" ["not"] ("missing" | "null")
    literal  = number | text | word | "true" | "false" | "null" | "nan" | "inf"
    columns  = ["-"] column {"," ["-"] column}

A text stands in single or double quotes, in which a backslash takes the next character as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.store.query.expression import (
    And,
    Column,
    Comparison,
    Expression,
    Has,
    Literal,
    Member,
    Missing,
    Not,
    Or,
)
from metalab.store.query.tokens import Token, fault, tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["parse_columns", "parse_filter"]

_DEEPEST = 100
_SIGNS = ("=", "!=", "<", "<=", ">", ">=", "~=")
_WORDS: dict[str, Literal] = {"true": True, "false": False, "null": None}
_RESERVED = frozenset({"and", "or", "not", "in", "is", "has", "missing", *_WORDS})


def parse_filter(text: str) -> Expression:
    """Parse a filter; raises QueryError that says where it cannot be read, and what could be."""
    parser = _Parser(text)
    found = parser.either(0)
    parser.end("'and', 'or' or the end")
    return found


def parse_columns(text: str) -> list[tuple[Column, bool]]:
    """Parse names of columns with commas between them; True where a minus stands before one."""
    parser = _Parser(text)
    found = [parser.signed()]
    while parser.take(","):
        found.append(parser.signed())
    parser.end("',' or the end")
    return found


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokens_of(source)
        self._place = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _wrong(self, accepted: str) -> Exception:
        return fault(self._source, self._next.at, str(self._next), accepted)

    def take(self, text: str) -> bool:
        taken = self._next.kind in {"word", "sign"} and self._next.text == text
        self._place += taken
        return taken

    def _need(self, text: str) -> None:
        if not self.take(text):
            raise self._wrong(repr(text))

    def end(self, accepted: str) -> None:
        if self._next.kind != "end":
            raise self._wrong(accepted)

    def either(self, depth: int) -> Expression:
        return self._several("or", lambda: self._both(depth), Or)

    def _both(self, depth: int) -> Expression:
        return self._several("and", lambda: self._one(depth), And)

    def _several(
        self, word: str, part: Callable[[], Expression], kind: type[And | Or]
    ) -> Expression:
        parts = [part()]
        while self.take(word):
            parts.append(part())
        return kind(tuple(parts)) if len(parts) > 1 else parts[0]

    def _one(self, depth: int) -> Expression:
        if depth > _DEEPEST:
            raise self._wrong(f"a filter nested at most {_DEEPEST} deep")
        if self.take("not"):
            return Not(self._one(depth + 1))
        if self.take("("):
            found = self.either(depth + 1)
            self._need(")")
            return found
        return self._test(self._column("a column, 'not' or '('"))

    def _test(self, column: Column) -> Expression:
        for sign in _SIGNS:
            if self.take(sign):
                return self._comparison(column, sign)
        if self.take("not"):
            self._need("in")
            return Not(self._member(column))
        if self.take("in"):
            return self._member(column)
        if self.take("has"):
            return Has(column, self._literal())
        if self.take("is"):
            negated = self.take("not")
            if not self.take("missing") and not self.take("null"):
                raise self._wrong("'missing'")
            return Not(Missing(column)) if negated else Missing(column)
        raise self._wrong(f"one of {' '.join(_SIGNS)} in, not in, has, is")

    def _comparison(self, column: Column, sign: str) -> Comparison:
        at = self._next
        value = self._literal()
        if sign == "~=" and not isinstance(value, str):
            raise fault(self._source, at.at, str(at), "a text in quotes")
        if value is None and sign not in {"=", "!="}:
            raise fault(self._source, at.at, str(at), "a number, text or boolean")
        return Comparison(column, sign, value)

    def _member(self, column: Column) -> Member:
        self._need("(")
        values = [self._literal()]
        while self.take(","):
            values.append(self._literal())
        if not self.take(")"):
            raise self._wrong("',' or ')'")
        return Member(column, tuple(values))

    def _literal(self) -> Literal:
        token = self._next
        if token.kind in {"number", "text"}:
            self._place += 1
            return token.value
        if token.kind == "word" and (token.text in _WORDS or token.text not in _RESERVED):
            self._place += 1
            return _WORDS.get(token.text, token.text)
        raise self._wrong("a number, text, true, false or null")

    def _column(self, accepted: str) -> Column:
        token = self._next
        if token.kind == "quoted":
            self._place += 1
            return Column(str(token.value), token.text)
        if token.kind == "word" and token.text not in _RESERVED:
            self._place += 1
            return Column.of(token.text)
        raise self._wrong(accepted)

    def signed(self) -> tuple[Column, bool]:
        descending = self.take("-")
        return self._column("a column"), descending
