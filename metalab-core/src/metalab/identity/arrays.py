"""Arrays: numpy's arrays and scalars as plain values, through their attributes alone.

Numpy is read only when a document holds an array.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from importlib import import_module
from typing import Any

from metalab.errors import IdentityError

__all__ = ["dump_array", "dump_scalar", "is_array", "is_scalar", "load_array", "load_scalar"]

# The kinds of dtype whose bytes are their value; objects and variable-length text are pointers.
_KINDS = frozenset("biufcmMSUV")
# Beyond these bytes, machines write one number in different ways.
_LONGEST = {"f": 8, "c": 16}
# Numpy's mark of a dtype that another library added.
_FOREIGN = 2


def is_array(cls: type) -> bool:
    """Tell whether a class is numpy's ndarray itself, or the one of arrays that lie in a file."""
    return cls.__module__ == "numpy" and cls.__name__ in {"ndarray", "memmap"}


def is_scalar(cls: type) -> bool:
    """Tell whether a class is one of numpy's own scalar types."""
    return cls.__module__ == "numpy" and any(
        base.__module__ == "numpy" and base.__name__ == "generic" for base in cls.__mro__
    )


def dump_array(array: Any) -> list[Any]:
    """Return dtype, shape and base64 of the bytes in C order; raises IdentityError for objects."""
    return [_dump_dtype(array.dtype), list(array.shape), _text(array.tobytes())]


def load_array(payload: Any) -> Any:
    """Return the array that ``dump_array`` described, writable and in C order."""
    dtype, shape, text = payload
    numpy, made_of = import_module("numpy"), _load_dtype(dtype)
    if not made_of.itemsize:  # of which no bytes tell how many there are
        return numpy.zeros(shape, made_of)
    return numpy.frombuffer(bytearray(a2b_base64(text)), made_of).reshape(shape)


def dump_scalar(scalar: Any) -> list[Any]:
    """Return dtype and base64 of a numpy scalar's bytes."""
    return [_dump_dtype(scalar.dtype), _text(scalar.tobytes())]


def load_scalar(payload: Any) -> Any:
    """Return the numpy scalar that ``dump_scalar`` described."""
    dtype, text = payload
    return load_array([dtype, [1], text])[0]


def _text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


def _dump_dtype(dtype: Any) -> object:
    if dtype.hasobject or dtype.isbuiltin == _FOREIGN or not _is_value(dtype):
        raise _refusal(dtype)
    if dtype.names is None:
        return dtype.str
    try:
        return _lists(_format().dtype_to_descr(dtype))
    except ValueError as error:  # fields that overlap
        raise _refusal(dtype) from error


def _is_value(dtype: Any) -> bool:
    dtype = dtype.base
    if dtype.names is not None:
        return all(_is_value(dtype.fields[name][0]) for name in dtype.names)
    return dtype.kind in _KINDS and dtype.itemsize <= _LONGEST.get(dtype.kind, dtype.itemsize)


def _refusal(dtype: Any) -> IdentityError:
    return IdentityError(
        f"an array of dtype {dtype} cannot be written as bytes and read back on every machine; "
        "convert it to a dtype of fixed size with .astype(...)"
    )


def _lists(descr: Any) -> Any:
    return [_lists(part) for part in descr] if isinstance(descr, list | tuple) else descr


def _load_dtype(descr: Any) -> Any:
    return _format().descr_to_dtype(_tuples(descr))


def _tuples(descr: Any) -> Any:
    # JSON has lists where numpy's description of a structured dtype has tuples.
    if isinstance(descr, str):
        return descr
    return [tuple(_field(part) for part in field) for field in descr]


def _field(part: Any) -> Any:
    if isinstance(part, list) and part and isinstance(part[0], list):
        return _tuples(part)
    return tuple(part) if isinstance(part, list) else part


def _format() -> Any:
    return import_module("numpy.lib.format")
