"""A filter as a function of a row; see ``metalab.store.query`` for what it means."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from metalab.store.query.expression import And, Comparison, Has, Member, Missing, Not, Or
from metalab.store.query.order import TEXT, kind_of, sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from metalab.store.query.expression import Column, Expression, Literal

    Getter = Callable[[Any], Any]
    Test = Callable[[Any], bool]

__all__ = ["test_of"]

_FEW = 2
_SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def test_of(expression: Expression, getters: Mapping[Column, Getter]) -> Test:
    """Make the function that tells whether a row passes; ``getters`` take values from rows."""
    match expression:
        case And(parts) | Or(parts):
            tests = [test_of(part, getters) for part in parts]
            return _all(tests) if isinstance(expression, And) else _any(tests)
        case Not(part):
            return _opposite(test_of(part, getters))
        case Missing(column):
            get = getters[column]
            return lambda row: get(row) is None
        case Member(column, values):
            return _member(getters[column], values)
        case Has(column, value):
            return _has(getters[column], value)
        case Comparison(column, sign, value):
            return _comparison(getters[column], sign, value)


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) > _FEW:
        return lambda row: all(test(row) for test in tests)
    one, other = tests  # which takes half as long without a generator
    return lambda row: one(row) and other(row)


def _any(tests: Sequence[Test]) -> Test:
    if len(tests) > _FEW:
        return lambda row: any(test(row) for test in tests)
    one, other = tests
    return lambda row: one(row) or other(row)


def _opposite(test: Test) -> Test:
    return lambda row: not test(row)


def _comparison(get: Getter, sign: str, value: Literal) -> Test:
    if sign == "=":
        return _member(get, (value,))
    if sign == "!=":
        return _opposite(_member(get, (value,)))
    kind = kind_of(value)
    if sign == "~=":
        part = str(value)
        return lambda row: kind_of(found := get(row)) == TEXT and part in found
    compare: Callable[[Any, Any], Any] = _SIGNS[sign]
    return lambda row: kind_of(found := get(row)) == kind and bool(compare(found, value))


def _member(get: Getter, values: tuple[Literal, ...]) -> Test:
    if all(isinstance(value, str) for value in values):
        # Mostly a status; a key made of each value would take longer than decoding the run.
        texts = frozenset(values)
        return lambda row: type(found := get(row)) is str and found in texts
    keys = frozenset(map(sort_key, values))
    return lambda row: sort_key(get(row)) in keys


def _has(get: Getter, value: Literal) -> Test:
    key = sort_key(value)

    def test(row: Any) -> bool:
        found = get(row)
        return isinstance(found, list | tuple) and any(sort_key(each) == key for each in found)

    return test
