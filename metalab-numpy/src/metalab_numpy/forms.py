"""Forms: what identifies a numpy object as a parameter, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metalab.errors import IdentityError
from metalab.identity.canonical import CanonicalForm
from metalab_numpy.dtypes import describe, dtype_of, why_not
from metalab_numpy.plain import is_plain, more_than_an_array

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["form_of", "revive"]


def form_of(obj: object) -> CanonicalForm | None:
    """Return the form of a scalar, array, dtype or ufunc of numpy, or None for anything else.

    Scalars are the Python values they equal. Raises IdentityError for values without a
    certain one.
    """
    cls = type(obj)
    if cls in _PLAIN_SCALARS:
        return CanonicalForm(None, obj.item())  # type: ignore[attr-defined]
    if isinstance(obj, np.generic) and cls.__module__ == "numpy":
        return _form_of_scalar(obj)
    if isinstance(obj, np.ndarray):
        if not is_plain(obj):
            raise IdentityError(more_than_an_array(obj))
        return CanonicalForm("ndarray", _payload(np.asarray(obj)))
    if isinstance(obj, np.dtype):
        return CanonicalForm("dtype", describe(obj))
    name = obj.__name__ if isinstance(obj, np.ufunc) else None
    return CanonicalForm("ufunc", name) if name and getattr(np, name, None) is obj else None


def revive(tag: str, payload: Any) -> object | None:
    """Return the object a tagged form was made of, or None for a tag that is not ours."""
    reviver = _REVIVERS.get(tag)
    return None if reviver is None else reviver(payload)


def _form_of_scalar(scalar: Any) -> CanonicalForm:
    kind = scalar.dtype.kind
    if kind in "mM":
        unit, count = np.datetime_data(scalar.dtype)
        return CanonicalForm(scalar.dtype.name.partition("[")[0], [unit, count, _ticks(scalar)])
    if kind == "V":
        return CanonicalForm("void", _payload(np.asarray(scalar)))
    plain = complex(scalar) if kind == "c" else float(scalar) if kind == "f" else scalar.item()
    if kind in "fc" and plain != scalar and scalar == scalar:  # noqa: PLR0124 - not NaN
        raise IdentityError(
            f"{scalar!r} equals no Python {type(plain).__name__}; "
            f"write {type(plain).__name__}(...) to round it"
        )
    return CanonicalForm(None, plain)


def _ticks(scalar: Any) -> int:
    return int(scalar.view("i8"))


def _payload(array: Any) -> tuple[object, tuple[int, ...], object]:
    if reason := why_not(array.dtype):
        raise IdentityError(reason)
    return describe(array.dtype), array.shape, _content(array)


def _content(array: Any) -> object:
    # Field by field, for the gaps between fields hold whatever was in memory.
    if array.dtype.names is not None:
        return [_content(array[name]) for name in array.dtype.names]
    if array.dtype.kind in "fc":
        array = _with_one_nan(array)
    return array.tobytes()


def _with_one_nan(array: Any) -> Any:
    if not np.isnan(array).any():
        return array
    # A NaN out of arithmetic and np.nan differ in bits, but mean the same.
    floats = array.astype(array.dtype, order="C").reshape(-1).view(_real(array.dtype))
    floats[np.isnan(floats)] = np.nan
    return floats


def _real(dtype: Any) -> Any:
    if dtype.kind == "f":
        return dtype
    return np.dtype(f"{dtype.str[0]}f{dtype.itemsize // 2}")


def _revive_array(payload: Any) -> Any:
    descr, shape, content = payload
    array = np.empty(tuple(shape), dtype_of(descr))
    _fill(array, content)
    return array


def _fill(array: Any, content: Any) -> None:
    if array.dtype.names is None:
        if array.dtype.itemsize:
            array[...] = np.frombuffer(content, array.dtype).reshape(array.shape)
        return
    for name, part in zip(array.dtype.names, content, strict=True):
        _fill(array[name], part)


def _revive_datetime(payload: Any) -> Any:
    unit, count, ticks = payload
    return np.int64(ticks).view(f"M8[{count}{unit}]")


def _revive_timedelta(payload: Any) -> Any:
    unit, count, ticks = payload
    return np.int64(ticks).view(f"m8[{count}{unit}]")


# Those that always equal a Python value: most parameters are of these.
_PLAIN_SCALARS = frozenset(np.dtype(char).type for char in "?bhilqBHILQefdFDSU")
_REVIVERS: dict[str, Callable[[Any], Any]] = {
    "datetime64": _revive_datetime,
    "dtype": dtype_of,
    "ndarray": _revive_array,
    "timedelta64": _revive_timedelta,
    "ufunc": lambda name: getattr(np, name, None),
    "void": lambda payload: _revive_array(payload)[()],
}
