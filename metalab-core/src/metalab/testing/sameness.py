"""Sameness: whether what came back is what was given, more strictly than ``==`` says."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["is_same"]


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two objects have one type and one value, down to the items they hold.

    1, 1.0 and True differ, as 0.0 and -0.0 do; NaN is the same as NaN; dicts have one order.
    Objects of other classes are compared with ``==``, whose answer has to be a bool: raises
    TypeError if it is none, as for an array.
    """
    return _is_same(one, other, set())


def _is_same(one: Any, other: Any, met: set[tuple[int, int]]) -> bool:
    if type(one) is not type(other):
        return False
    if one is other or (id(one), id(other)) in met:  # a list may hold itself
        return True
    if isinstance(one, complex):
        return _is_same_float(one.real, other.real) and _is_same_float(one.imag, other.imag)
    if isinstance(one, float):
        return _is_same_float(one, other)
    if type(one) in {dict, list, tuple}:
        met.add((id(one), id(other)))
        items = zip(_items(one), _items(other), strict=False)
        return len(one) == len(other) and all(_is_same(*pair, met) for pair in items)
    return _equals(one, other)


def _items(value: Any) -> Iterable[Any]:
    return value.items() if type(value) is dict else value


def _is_same_float(one: float, other: float) -> bool:
    if one != one or other != other:  # noqa: PLR0124  NaN, of whatever bits
        return one != one and other != other  # noqa: PLR0124  as above
    return struct.pack(">d", one) == struct.pack(">d", other)


def _equals(one: Any, other: Any) -> bool:
    verdict = one == other
    if type(verdict) is not bool:
        raise TypeError(
            f"== of two {type(one).__name__} says {type(verdict).__name__}, which is neither True "
            "nor False: override `same` in the test's class, and compare types and dtypes there"
        )
    return verdict
