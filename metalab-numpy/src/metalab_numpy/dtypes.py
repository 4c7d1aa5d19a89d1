"""Dtypes: which of them are values through and through, and how they are written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metalab.errors import IdentityError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["describe", "dtype_of", "why_not"]

_FOREIGN = 2  # numpy's mark of a dtype that another library added
_DOUBLE = {"f": 8, "c": 16}


def why_not(dtype: Any) -> str | None:
    """Say why arrays of a dtype cannot be kept as bytes, and what to do, or None if they can."""
    return _undescribed(dtype) or next(filter(None, map(_extended, _parts(dtype))), None)


def describe(dtype: Any) -> Any:
    """Return the description of a dtype; raises IdentityError if there is none."""
    if reason := _undescribed(dtype):
        raise IdentityError(reason)
    return np.lib.format.dtype_to_descr(dtype)


def dtype_of(descr: Any) -> Any:
    """Return the dtype that was described."""
    return np.lib.format.descr_to_dtype(descr)


def _undescribed(dtype: Any) -> str | None:
    if dtype.hasobject:
        return next(filter(None, map(_pointing, _parts(dtype))), None)
    if dtype.isbuiltin == _FOREIGN or not _is_described(dtype):
        return (
            f"dtype {dtype} has no description that numpy reads back; convert it with .astype(...)"
        )
    return None


def _parts(dtype: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dtypes without fields that a dtype is made of, with the paths of their fields."""
    dtype = dtype.base
    if dtype.names is None:
        yield path, dtype
        return
    for name in dtype.names:
        yield from _parts(dtype.fields[name][0], f"{path}.{name}" if path else name)


def _pointing(part: tuple[str, Any]) -> str | None:
    path, dtype = part
    if not dtype.hasobject:
        return None
    if dtype.kind == "T":
        return (
            f"{_named(path, dtype)} holds text of any length, which lies elsewhere; "
            'convert it to text of one length, as with .astype("U20")'
        )
    return f"{_named(path, dtype)} holds references to Python objects; convert it with .astype(...)"


def _extended(part: tuple[str, Any]) -> str | None:
    path, dtype = part
    if dtype.itemsize <= _DOUBLE.get(dtype.kind, dtype.itemsize):
        return None
    plain = "float" if dtype.kind == "f" else "complex"
    return (
        f"the bytes of {_named(path, dtype)} mean other numbers on other machines; "
        f"convert it with .astype({plain})"
    )


def _named(path: str, dtype: Any) -> str:
    return f"field {path!r} of dtype {dtype}" if path else f"dtype {dtype}"


def _is_described(dtype: Any) -> bool:
    try:
        return bool(dtype_of(np.lib.format.dtype_to_descr(dtype)) == dtype)
    except ValueError:  # fields that overlap
        return False
