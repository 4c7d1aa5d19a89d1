r"""Filters as SQL: exactly where SQL can say it, else as two bounds between which the truth is.

All that SQL is given are literals quoted by psycopg and the names of this schema; ``COPY``
takes no parameters. Of each condition null counts as false. What lies between the bounds of a
filter comes back as rows on which Python decides, as it does for files:

==============================  ==========================================================
part of a query                 in SQL
==============================  ==========================================================
``= != < <= > >= in`` of        exact: numbers by value, texts by code point
  booleans, numbers, texts
the same of tagged values       exact of floats, of integers up to 2,000 bits and of tuples;
                                of others a superset, in which any may hold
a literal with U+0000 or half   of ``< <= > >=`` all texts, of the rest none; no row of plain
  of a surrogate pair           values has such a text
``~=``                          exact, but any tagged value of those others may hold
``has``                         exact, but lists and tuples with tagged elements may hold
``is missing``                  exact
``and or not``                  exact of exact parts
order, limit and offset         exact of missing values, NaN, booleans, numbers, texts, and
                                of lists whose JSON is plain; runs with other values in what
                                is sorted by are all fetched, and put in their places
no limit                        all that pass the filter come back and are sorted here
groups                          by the texts of values; equal ones are merged here
aggregates                      the numbers of a group come back, and are summed exactly
a bare name                     looked up in the catalogue, then in the rows
odd rows                        all are fetched, and taken from their lines
==============================  ==========================================================
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, TypeGuard

import attrs
from psycopg import sql

from metalab.store.query.expression import And, Comparison, Has, Member, Missing, Not, Or
from metalab_postgres.numbers import NAN, compared_plain, compared_tagged, decimal_of
from metalab_postgres.sources import (
    ARRAY,
    BOOLEAN,
    NUMBER,
    OBJECT,
    TEXT,
    JsonSource,
    NumberSource,
    Source,
    TextSource,
    is_bindable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metalab.store.query.expression import Column, Expression, Literal

__all__ = ["EVERY", "Condition", "condition_of"]

_TRUE, _FALSE = sql.SQL("true"), sql.SQL("false")
_SIGNS = {
    "<": sql.SQL("<"),
    "<=": sql.SQL("<="),
    ">": sql.SQL(">"),
    ">=": sql.SQL(">="),
}


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


EVERY = Condition.exactly(_TRUE)
"""What holds of every row."""


def condition_of(expression: Expression, sources: Mapping[Column, Source]) -> Condition:
    """Translate a filter."""
    match expression:
        case And(parts) | Or(parts):
            word = " AND " if isinstance(expression, And) else " OR "
            return _joined(word, [condition_of(part, sources) for part in parts])
        case Not(part):
            return condition_of(part, sources).negated()
        case Missing(column):
            return Condition.exactly(_is_missing(sources[column]))
        case Member(column, values):
            return _member(sources[column], values)
        case Has(column, value):
            return _has(sources[column], value)
        case Comparison(column, sign, value):
            return _comparison(sources[column], sign, value)


def _comparison(source: Source, sign: str, value: Literal) -> Condition:
    if sign == "=":
        return _member(source, (value,))
    if sign == "!=":
        return _member(source, (value,)).negated()
    if sign == "~=":
        return _contains(source, str(value))
    return _compared(source, sign, value)


def _joined(word: str, parts: Sequence[Condition]) -> Condition:
    def joined(each: Sequence[sql.Composable]) -> sql.Composable:
        return sql.SQL("({})").format(sql.SQL(word).join(each))

    may = joined([part.may for part in parts])
    exact = all(part.is_exact for part in parts)
    return Condition(may, may if exact else joined([part.must for part in parts]))


def _or_unknown(source: JsonSource, known: sql.Composable) -> Condition:
    """Let a condition hold perhaps of values that SQL does not know."""
    if not source.may_be(OBJECT):
        return Condition.exactly(known)
    return Condition(sql.SQL("({} OR {})").format(known, source.is_unknown), known)


def _is_missing(source: Source) -> sql.Composable:
    if isinstance(source, JsonSource):
        return source.is_missing
    return sql.SQL("({} IS NULL)").format(source.value)


def _member(source: Source, values: Sequence[Literal]) -> Condition:
    parts = [Condition.exactly(_is_missing(source))] if None in values else []
    present = [value for value in values if value is not None]
    if isinstance(source, TextSource):
        texts = [each for each in present if isinstance(each, str) and is_bindable(each)]
        parts.append(Condition.exactly(_is_one_of(source.value, texts, "text")))
    elif isinstance(source, NumberSource):
        numbers = [str(decimal_of(each)) for each in present if _is_finite(each)]
        parts.append(Condition.exactly(_is_one_of(source.value, numbers, "numeric")))
    else:
        parts += _json_member(source, present)
    return parts[0] if len(parts) == 1 else _joined(" OR ", parts)


def _is_one_of(value: sql.Composable, texts: Sequence[str], kind: str) -> sql.Composable:
    if not texts:
        return _FALSE
    cast = sql.SQL(kind)
    if len(texts) == 1:
        return sql.SQL("({} = {}::{})").format(value, sql.Literal(texts[0]), cast)
    return sql.SQL("({} = ANY({}::{}[]))").format(value, sql.Literal(list(texts)), cast)


def _json_member(source: JsonSource, values: Sequence[Literal]) -> list[Condition]:
    documents = [text for each in values if (text := _document(source, each)) is not None]
    known = [_is_one_of(source.value, documents, "jsonb")]
    if source.section == "params" and len(documents) == 1:  # for which there is an index
        within = "{" + json.dumps(source.name) + ": " + documents[0] + "}"
        known = [sql.SQL("(params @> {}::jsonb)").format(sql.Literal(within))]
    if not source.may_be(OBJECT):
        return [Condition.exactly(known[0])]
    for each in values:
        if isinstance(each, float) and math.isnan(each):
            known.append(sql.SQL("({} = {})").format(source.value, NAN))
        elif _is_number(each):
            known.append(compared_tagged(source, "=", each))
    return [_or_unknown(source, sql.SQL("({})").format(sql.SQL(" OR ").join(known)))]


def _document(source: JsonSource, value: Literal) -> str | None:
    """Return the plain JSON that a value equal to a literal has, if it may have any."""
    if isinstance(value, bool):
        return json.dumps(value) if source.may_be(BOOLEAN) else None
    if isinstance(value, str):
        return json.dumps(value) if source.may_be(TEXT) and is_bindable(value) else None
    if value is None or not _is_finite(value) or not source.may_be(NUMBER):
        return None
    return str(decimal_of(value))


def _contains(source: Source, part: str) -> Condition:
    def found(text: sql.Composable) -> sql.Composable:
        if not is_bindable(part):
            return _FALSE
        return sql.SQL("(strpos({}, {}) > 0)").format(text, sql.Literal(part))

    if isinstance(source, NumberSource):
        return Condition.exactly(_FALSE)
    if isinstance(source, TextSource):
        return Condition.exactly(found(source.value))
    test = sql.SQL("({} = 'string' AND {})").format(source.kind, found(source.text))
    return _or_unknown(source, test if source.may_be(TEXT) else _FALSE)


def _compared(source: Source, sign: str, value: Literal) -> Condition:
    if isinstance(value, str):
        return _text_compared(source, sign, value)
    if isinstance(value, bool):
        return _boolean_compared(source, sign, value)
    if value is None or isinstance(source, TextSource) or value != value:  # noqa: PLR0124  NaN
        known: sql.Composable = _FALSE
        return (
            _or_unknown(source, known)
            if isinstance(source, JsonSource)
            else Condition.exactly(known)
        )
    if isinstance(source, NumberSource):
        bound = sql.Literal(str(decimal_of(value)) if _is_finite(value) else str(value))
        test = sql.SQL("({} {} {}::numeric)").format(source.value, _SIGNS[sign], bound)
        return Condition.exactly(test)
    known = compared_plain(source, sign, value) if source.may_be(NUMBER) else _FALSE
    if source.may_be(OBJECT):
        known = sql.SQL("({} OR {})").format(known, compared_tagged(source, sign, value))
    return _or_unknown(source, known)


def _text_compared(source: Source, sign: str, value: str) -> Condition:
    if isinstance(source, NumberSource):
        return Condition.exactly(_FALSE)
    text = source.value if isinstance(source, TextSource) else source.text
    if is_bindable(value):
        test = sql.SQL("({} {} {})").format(text, _SIGNS[sign], sql.Literal(value))
        known = Condition.exactly(test)
    else:
        known = Condition(sql.SQL("({} IS NOT NULL)").format(text), _FALSE)
    if isinstance(source, TextSource):
        return known
    is_text = Condition.exactly(sql.SQL("({} = 'string')").format(source.kind))
    if not source.may_be(TEXT):
        return _or_unknown(source, _FALSE)
    plain = _joined(" AND ", [is_text, known])
    may = _or_unknown(source, plain.may).may
    exact = plain.is_exact and not source.may_be(OBJECT)
    return Condition(may, may if exact else plain.must)


def _boolean_compared(source: Source, sign: str, value: bool) -> Condition:
    if not isinstance(source, JsonSource):
        return Condition.exactly(_FALSE)
    if not source.may_be(BOOLEAN):
        return _or_unknown(source, _FALSE)
    test = sql.SQL("CASE {} WHEN 'boolean' THEN {}::boolean {} {} END").format(
        source.kind, source.value, _SIGNS[sign], sql.Literal(value)
    )
    return _or_unknown(source, sql.SQL("({})").format(test))


def _has(source: Source, value: Literal) -> Condition:
    if not isinstance(source, JsonSource) or not source.may_be(ARRAY | OBJECT):
        return Condition.exactly(_FALSE)
    anything = attrs.evolve(source, kinds=BOOLEAN | TEXT | NUMBER)
    document = "null" if value is None else _document(anything, value)
    lists = "(CASE {kind} WHEN 'array' THEN {value} WHEN 'object' THEN {value} -> '$tuple' END)"
    elements = sql.SQL(lists).format(kind=source.kind, value=source.value)
    # An element of a list that holds anything tagged may be equal too.
    tagged = sql.SQL("({}::text LIKE '%{{%')").format(elements)
    known: sql.Composable = _FALSE
    if document is not None:
        within = sql.Literal(f"[{document}]")
        known = sql.SQL("(jsonb_typeof({0}) = 'array' AND {0} @> {1}::jsonb)").format(
            elements, within
        )
    may = sql.SQL("({} OR {} OR {})").format(known, tagged, source.is_unknown)
    return Condition(may, known)


def _is_number(value: Literal) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: Literal) -> TypeGuard[float]:
    return _is_number(value) and (isinstance(value, int) or math.isfinite(value))
