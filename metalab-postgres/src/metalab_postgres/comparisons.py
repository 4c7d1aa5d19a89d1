"""A column's values compared with literals, as conditions in SQL."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, TypeGuard

import attrs
from psycopg import sql

from metalab_postgres.conditions import Condition, joined, or_unknown
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
    from collections.abc import Sequence

    from metalab.store.query.expression import Literal

__all__ = ["comparison", "has", "is_missing", "member"]

_FALSE = sql.SQL("false")
_SIGNS = {
    "<": sql.SQL("<"),
    "<=": sql.SQL("<="),
    ">": sql.SQL(">"),
    ">=": sql.SQL(">="),
}


def comparison(source: Source, sign: str, value: Literal) -> Condition:
    """Translate one of ``= != < <= > >= ~=``."""
    if sign == "=":
        return member(source, (value,))
    if sign == "!=":
        return member(source, (value,)).negated()
    if sign == "~=":
        return _contains(source, str(value))
    return _compared(source, sign, value)


def is_missing(source: Source) -> sql.Composable:
    """Translate ``is missing``, which SQL knows of every value."""
    if isinstance(source, JsonSource):
        return source.is_missing
    return sql.SQL("({} IS NULL)").format(source.value)


def member(source: Source, values: Sequence[Literal]) -> Condition:
    """Translate ``in``."""
    parts = [Condition.exactly(is_missing(source))] if None in values else []
    present = [value for value in values if value is not None]
    if isinstance(source, TextSource):
        texts = [each for each in present if isinstance(each, str) and is_bindable(each)]
        parts.append(Condition.exactly(_is_one_of(source.value, texts, "text")))
    elif isinstance(source, NumberSource):
        numbers = [str(decimal_of(each)) for each in present if _is_finite(each)]
        parts.append(Condition.exactly(_is_one_of(source.value, numbers, "numeric")))
    else:
        parts += _json_member(source, present)
    return parts[0] if len(parts) == 1 else joined(" OR ", parts)


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
    return [or_unknown(source, sql.SQL("({})").format(sql.SQL(" OR ").join(known)))]


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
    return or_unknown(source, test if source.may_be(TEXT) else _FALSE)


def _compared(source: Source, sign: str, value: Literal) -> Condition:
    if isinstance(value, str):
        return _text_compared(source, sign, value)
    if isinstance(value, bool):
        return _boolean_compared(source, sign, value)
    if value is None or isinstance(source, TextSource) or value != value:  # noqa: PLR0124  NaN
        known: sql.Composable = _FALSE
        return (
            or_unknown(source, known)
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
    return or_unknown(source, known)


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
        return or_unknown(source, _FALSE)
    plain = joined(" AND ", [is_text, known])
    may = or_unknown(source, plain.may).may
    exact = plain.is_exact and not source.may_be(OBJECT)
    return Condition(may, may if exact else plain.must)


def _boolean_compared(source: Source, sign: str, value: bool) -> Condition:
    if not isinstance(source, JsonSource):
        return Condition.exactly(_FALSE)
    if not source.may_be(BOOLEAN):
        return or_unknown(source, _FALSE)
    test = sql.SQL("CASE {} WHEN 'boolean' THEN {}::boolean {} {} END").format(
        source.kind, source.value, _SIGNS[sign], sql.Literal(value)
    )
    return or_unknown(source, sql.SQL("({})").format(test))


def has(source: Source, value: Literal) -> Condition:
    """Translate ``has``."""
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
