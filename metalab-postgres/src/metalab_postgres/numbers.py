"""Numbers compared in SQL as Python compares them: by their exact values.

A plain number of JSON is an integer below 2**63 in size or the shortest decimal of a float
below 1e16, and such decimals stand in the very order of the values they stand for. So it may
be compared as numeric with the decimal of a literal; or as float8, while the literal is less
than 2**53 in size, since all integers that float8 cannot hold are beyond. Larger floats are
tagged ``$float`` and compared as float8, larger integers ``$int`` and compared as numeric.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from psycopg import sql

from metalab_postgres.sources import OBJECT

if TYPE_CHECKING:
    from metalab_postgres.sources import JsonSource

__all__ = ["NAN", "compared_plain", "compared_tagged", "decimal_of", "number_key"]

NAN = sql.SQL('\'{{"$float": "nan"}}\'::jsonb').format()

_EXACT = 2**53
_LARGE = 1e16
_INFINITE = (math.inf, -math.inf)  # isinf() refuses large integers
# Beyond all that SQL compares; digits that no one needs would not fit in a numeric.
_BEYOND = 10**1000
_FLOAT = "({value} ->> '$float')::float8"
_INT = "({value} ->> '$int')::numeric"


def decimal_of(number: float) -> Decimal:
    """Return what a number that is not infinite is compared with as numeric."""
    if isinstance(number, float) and abs(number) < _LARGE:
        return Decimal(repr(number))
    return Decimal(max(min(int(number), _BEYOND), -_BEYOND))


def compared_plain(source: JsonSource, sign: str, number: float) -> sql.Composable:
    """Tell whether a value is a plain number that compares so with a number, but for equality."""
    as_float = source.number
    if as_float is not None and (abs(number) < _EXACT or number in _INFINITE):
        return _compare(as_float, sign, _float8(float(number)))
    if number in _INFINITE:
        holds = (number > 0) == (sign in {"<", "<="})
        return sql.SQL("({} = 'number' AND {})").format(source.kind, sql.Literal(holds))
    test = _compare(sql.SQL("{}::numeric").format(source.value), sign, _numeric(number))
    return sql.SQL("CASE {} WHEN 'number' THEN {} END").format(source.kind, test)


def compared_tagged(source: JsonSource, sign: str, number: float) -> sql.Composable:
    """Tell the same of a value that is a tagged number; null where SQL does not know."""
    as_float = sql.SQL(_FLOAT).format(value=source.value)
    float_test = _compare(as_float, *_nearest(sign, number))
    as_int = sql.SQL(_INT).format(value=source.value)
    bound = sql.SQL("'{}'::numeric").format(sql.SQL("Infinity" if number > 0 else "-Infinity"))
    if number not in _INFINITE:
        bound = sql.Composed([_numeric(number)])
    return sql.SQL(
        "CASE WHEN {kind} = 'object' THEN CASE "
        "WHEN {value} ? '$float' THEN {value} <> {nan} AND {float_test} "
        "WHEN {value} ->> '$int' !~ 'x' THEN {int_test} "
        "WHEN {value} ? '$tuple' THEN false END ELSE false END"
    ).format(
        kind=source.kind,
        value=source.value,
        nan=NAN,
        float_test=float_test,
        int_test=_compare(as_int, sign, bound),
    )


def number_key(source: JsonSource) -> sql.Composable:
    """Return a numeric that stands in the order of the numbers; null for those that are none.

    Of tagged numbers those of ``$float`` have one, NaN excepted.
    """
    plain = sql.SQL("{}::numeric").format(source.value)
    if not source.may_be(OBJECT):
        return sql.SQL("CASE {} WHEN 'number' THEN {} END").format(source.kind, plain)
    # Their own decimals would stand in another order than theirs to integers below 2**63.
    return sql.SQL(
        "CASE {kind} WHEN 'number' THEN {plain} "
        "WHEN 'object' THEN CASE WHEN {value} ? '$float' AND {value} <> {nan} THEN CASE "
        "WHEN abs({number}) < 9223372036854775808::float8 THEN {number}::bigint::numeric "
        "ELSE ({value} ->> '$float')::numeric END END END"
    ).format(
        kind=source.kind,
        plain=plain,
        value=source.value,
        nan=NAN,
        number=sql.SQL(_FLOAT).format(value=source.value),
    )


def _compare(one: sql.Composable, sign: str, other: sql.Composable) -> sql.Composable:
    signs = {"=": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
    return sql.SQL("({} {} {})").format(one, sql.SQL(signs[sign]), other)


def _nearest(sign: str, number: float) -> tuple[str, sql.Composable]:
    """Return the comparison with a float8 that says of floats what this one does."""
    near = _as_float(number)
    if near == number:
        return sign, _float8(near)
    if sign == "=":
        return sign, _float8(math.nan)  # which none of them is
    if sign in {"<", "<="}:
        return "<=", _float8(near if near < number else math.nextafter(near, -math.inf))
    return ">=", _float8(near if near > number else math.nextafter(near, math.inf))


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _float8(number: float) -> sql.Composable:
    return sql.SQL("{}::float8").format(sql.Literal(str(number)))


def _numeric(number: float) -> sql.Composable:
    return sql.SQL("{}::numeric").format(sql.Literal(str(decimal_of(number))))
