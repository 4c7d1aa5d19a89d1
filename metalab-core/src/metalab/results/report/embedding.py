"""Embedding: columns as JSON that is safe inside a script element, and exact."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from metalab.identity.values import to_jsonable
from metalab.results.cells import spelled
from metalab.results.columns import EXACT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["embedded", "packed"]

_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def embedded(value: object) -> str:
    """Write a value as JSON that no text in it can end, or turn into markup."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)


def packed(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Turn columns into a name, the distinct texts and the cells of each.

    A cell is a number, None, or the place of a text as a list of one. Numbers that
    JavaScript has no exact number for (NaN, infinities, large integers) are texts.
    """
    return [_column(name, column) for name, column in columns.items()]


def _column(name: str, column: Sequence[Any]) -> dict[str, Any]:
    texts: dict[str, int] = {}
    cells: list[Any] = []
    for value in column:
        plain = _plain(value)
        cells.append([texts.setdefault(plain, len(texts))] if isinstance(plain, str) else plain)
    return {"name": name, "texts": list(texts), "cells": cells}


def _plain(value: Any) -> str | float | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return value if abs(value) < EXACT else spelled(value, str)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (tuple, list)):
        value = list(value)
    return json.dumps(to_jsonable(value), ensure_ascii=False)
