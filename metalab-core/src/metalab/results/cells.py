"""How values are written in the cells of a table that people read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from metalab.harmless import harmless
from metalab.identity.values import to_jsonable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["is_numeric", "spelled", "written"]

_DIGITS = 6
_LARGE = 1e6
_SMALL = 1e-4
_WIDEST = 40


def is_numeric(values: Sequence[Any]) -> bool:
    """Tell whether all values are numbers or missing, so that they are aligned to the right."""
    return all(
        v is None or (isinstance(v, (int, float)) and not isinstance(v, bool)) for v in values
    )


def written(values: Sequence[Any]) -> list[str]:
    """Write the values of one column.

    Floats share a number of decimals, six at most, unless some are too large or too small
    for that; then each has six significant digits. What is missing stays empty.
    """
    if any(isinstance(v, float) for v in values) and is_numeric(values):
        return _numbers(values)
    return [_text(value) for value in values]


def _numbers(values: Sequence[float | None]) -> list[str]:
    # An integer may be too large for isfinite().
    sizes = [abs(v) for v in values if v and (isinstance(v, int) or math.isfinite(v))]
    if sizes and (max(sizes) >= _LARGE or min(sizes) < _SMALL):
        return [_one(v, f".{_DIGITS}g") for v in values]
    fixed = [_one(v, f".{_DIGITS}f") for v in values]
    # Decimals that are zero in every cell say nothing; one is left, as a float shows it.
    for _ in range(_DIGITS - 1):
        if all(cell.endswith("0") or "." not in cell for cell in fixed):
            fixed = [cell[:-1] if "." in cell else cell for cell in fixed]
    return fixed


def _one(value: float | None, form: str) -> str:
    if value is None:
        return ""
    return _text(value) if isinstance(value, int) else format(value, form)


def spelled(value: Any, how: Callable[[Any], str] = repr) -> str:
    """Return what ``repr`` or ``str`` makes of a value.

    They refuse integers of more than 4,300 digits: alone, these are hexadecimal, and a structure
    that holds one is tagged JSON.
    """
    try:
        return how(value)
    except ValueError:
        if isinstance(value, int):
            return hex(value)
        return msgspec.json.encode(to_jsonable(value)).decode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return format(value, f".{_DIGITS}g")
    text = value if isinstance(value, str) else spelled(value)
    text = harmless(" ".join(text.split()))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
