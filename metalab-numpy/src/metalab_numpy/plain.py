"""Plain arrays: which objects are an ndarray and nothing besides; what to make of the others."""

from __future__ import annotations

import numpy as np

__all__ = ["is_plain", "more_than_an_array"]

_MASKED = "its mask would be lost; keep .filled(...), or .data and .mask each"
_BESIDES = "write np.asarray(...) if that is all you need of it"


def is_plain(obj: object) -> bool:
    """Tell whether it is an ndarray, or one that lies in a file; subclasses are not."""
    # What a memmap has besides is where it lies, which is no part of its value.
    return type(obj) is np.ndarray or type(obj) is np.memmap


def more_than_an_array(obj: object) -> str:
    """Say of an object of a subclass of ndarray why it is refused, and what to do."""
    advice = _MASKED if isinstance(obj, np.ma.MaskedArray) else _BESIDES
    return f"{_name_of(obj)} is more than an array: {advice}"


def _name_of(obj: object) -> str:
    name = type(obj).__name__
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
