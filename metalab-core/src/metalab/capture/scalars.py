"""What a metric may be: a scalar, or a library's scalar that equals one."""

from __future__ import annotations

import math
import reprlib
from typing import TYPE_CHECKING, Any

from metalab.capture.refusal import refusal
from metalab.identity.arrays import is_scalar
from metalab.identity.canonical import library_form

if TYPE_CHECKING:
    from metalab.records import Metric

__all__ = ["NUMBERS", "plain_scalar", "plain_step"]

NUMBERS = frozenset({bool, int, float, type(None)})
"""The types whose every value is a metric as it is."""


def plain_scalar(call: str, name: str, value: Any) -> Metric:
    """Return the plain scalar that a value is or equals; CaptureError if there is none."""
    scalar = _scalar(value)
    if scalar is None and value is not None:
        raise refusal(call, name, _why_no_metric(value))
    return scalar


def plain_step(call: str, name: str, step: Any) -> int | float:
    """Return a step as a plain number; CaptureError if it is no finite number."""
    number = _scalar(step)
    if isinstance(number, int) and not isinstance(number, bool):
        return number
    if isinstance(number, float) and math.isfinite(number):
        return number
    raise refusal(call, name, f"a step is a finite number, not {reprlib.repr(step)}")


def _scalar(value: Any) -> Metric:
    cls = type(value)
    if cls in NUMBERS or cls is str:
        return value  # type: ignore[no-any-return]
    if is_scalar(cls):
        # Of the other kinds, dates and raw bytes, item() does not always give an equal value.
        return _plain(value.item()) if value.dtype.kind in "biufU" else None
    if (found := library_form(value)) is not None:
        form = found[1]
        return _plain(form.payload) if form.tag is None else None
    # A subclass's own idea of int() or str() must not decide what is kept.
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    return str.__str__(value) if isinstance(value, str) else None


def _plain(value: object) -> Metric:
    return value if type(value) in NUMBERS or type(value) is str else None  # type: ignore[return-value]


def _why_no_metric(value: Any) -> str:
    what = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    text = f"a metric is a bool, int, float, str or None, not {what}; "
    if getattr(value, "shape", None) == ():
        return text + "capture value.item() or float(value)"
    return text + "keep structures and arrays with capture.data, all else with capture.artifact"
