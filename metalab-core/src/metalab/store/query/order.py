"""When two values are equal, and which comes first; see ``metalab.store.query``."""

from __future__ import annotations

import json
from functools import total_ordering
from numbers import Real
from typing import Any

from metalab.identity.values import to_jsonable

__all__ = ["BOOLEAN", "MISSING", "NUMBER", "OTHER", "TEXT", "equal", "kind_of", "sort_key"]

BOOLEAN, NUMBER, TEXT, OTHER, MISSING = range(5)
_KINDS = {bool: BOOLEAN, int: NUMBER, float: NUMBER, str: TEXT, type(None): MISSING}
_NAN_KEY, _MISSING_KEY = (1,), (2,)


def kind_of(value: object) -> int:
    """Return the kind of a value."""
    kind = _KINDS.get(type(value))
    if kind is None:
        return NUMBER if isinstance(value, Real) else OTHER
    return kind


def equal(one: Any, other: Any) -> bool:
    """Tell whether two values are equal: NaN equals NaN, and a missing value another."""
    return sort_key(one) == sort_key(other)


@total_ordering
class _Reversed:
    """A text that comes before those that are less."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and self.text == other.text

    def __lt__(self, other: _Reversed) -> bool:
        return other.text < self.text

    def __hash__(self) -> int:
        return hash(self.text)


def sort_key(value: Any, *, descending: bool = False) -> tuple[Any, ...]:
    """Return what values are sorted and grouped by; equal for values that are."""
    kind = kind_of(value)
    if kind == MISSING:
        return _MISSING_KEY
    if kind <= NUMBER:
        if value != value:  # noqa: PLR0124  NaN alone differs from itself
            return _NAN_KEY
        return (0, -kind, -value) if descending else (0, kind, value)
    text = value if kind == TEXT else json.dumps(to_jsonable(value), sort_keys=True)
    return (0, -kind, _Reversed(text)) if descending else (0, kind, text)
