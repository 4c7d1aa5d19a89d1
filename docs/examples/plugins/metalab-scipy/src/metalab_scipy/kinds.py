"""Kinds: which objects are sparse arrays or matrices, and which of them hold plain numbers."""

from __future__ import annotations

from typing import Any

from scipy import sparse

__all__ = ["is_sparse", "why_not"]

_LAYOUTS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
# A subclass may hold more than its base, which would be lost.
_CLASSES = frozenset(
    getattr(sparse, f"{layout}_{kind}") for layout in _LAYOUTS for kind in ("array", "matrix")
)
_NUMBERS = "biufc"
_LARGEST = {"c": 16}  # bytes; longer floats have bytes that are no part of their values


def is_sparse(obj: object) -> bool:
    """Tell whether it is a sparse array or matrix of one of scipy's own classes."""
    return type(obj) in _CLASSES


def why_not(matrix: Any) -> str | None:
    """Say why the entries cannot be written as bytes and read back, or None if they can."""
    dtype = matrix.dtype
    if dtype.kind not in _NUMBERS or dtype.itemsize > _LARGEST.get(dtype.kind, 8):
        return f"its dtype {dtype} has values that are more, or less, than their bytes"
    return None
