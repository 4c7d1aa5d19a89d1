"""Dtypes: which of them are values through and through, and how they are written down."""

from __future__ import annotations

from typing import Any

import numpy as np

from metalab.errors import IdentityError

__all__ = ["describe", "dtype_of", "why_not"]


def why_not(dtype: Any) -> str | None:
    """Say why arrays of a dtype cannot be written as bytes and read back, or None if they can."""
    if dtype.hasobject:
        return f"dtype {dtype} holds references to Python objects"
    if dtype.isbuiltin == 2 or not _is_described(dtype):  # noqa: PLR2004 - numpy's mark of foreign dtypes
        return f"dtype {dtype} has no description that numpy reads back"
    return None


def describe(dtype: Any) -> Any:
    """Return the description of a dtype; raises IdentityError if there is none."""
    if reason := why_not(dtype):
        raise IdentityError(f"{reason}; convert it with .astype(...)")
    return np.lib.format.dtype_to_descr(dtype)


def dtype_of(descr: Any) -> Any:
    """Return the dtype that was described."""
    return np.lib.format.descr_to_dtype(descr)


def _is_described(dtype: Any) -> bool:
    try:
        return bool(dtype_of(np.lib.format.dtype_to_descr(dtype)) == dtype)
    except ValueError:  # fields that overlap
        return False
