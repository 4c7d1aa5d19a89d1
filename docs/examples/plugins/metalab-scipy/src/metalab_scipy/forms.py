"""Forms: what identifies a sparse array as a parameter, and the way back.

That is its class, shape and dtype, and the entries that are not zero in the order of their
places: neither the order in which they are stored counts, nor zeros that are, nor the bits of NaN.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from scipy import sparse

from metalab.errors import IdentityError
from metalab.identity.canonical import CanonicalForm
from metalab_scipy.kinds import is_sparse, why_not

__all__ = ["form_of", "revive"]

_TAG = "sparse"
_INDEX = "<i8"


def form_of(obj: Any) -> CanonicalForm | None:
    """Return the form of a sparse array or matrix, or None for anything else.

    Raises IdentityError for entries without a certain form.
    """
    if not is_sparse(obj):
        return None
    if reason := why_not(obj):
        raise IdentityError(f"{reason}; convert it with .astype(float) or .astype(complex)")
    entries = obj.tocoo(copy=True)
    entries.sum_duplicates()
    entries.eliminate_zeros()
    order = np.lexsort(entries.coords[::-1])
    coords = [np.asarray(each)[order].astype(_INDEX).tobytes() for each in entries.coords]
    data = _with_one_nan(entries.data[order]).tobytes()
    return CanonicalForm(_TAG, (type(obj).__name__, obj.dtype.str, obj.shape, coords, data))


def revive(tag: str, payload: Any) -> Any:
    """Return the sparse array that a tagged form was made of, or None for another tag."""
    if tag != _TAG:
        return None
    name, dtype, shape, coords, data = payload
    layout, _, kind = name.partition("_")
    places = tuple(np.frombuffer(each, _INDEX) for each in coords)
    values = np.frombuffer(data, np.dtype(dtype)).copy()
    entries = getattr(sparse, f"coo_{kind}")((values, places), shape=tuple(shape))
    return entries.asformat(layout)


def _with_one_nan(data: Any) -> Any:
    if data.dtype.kind not in "fc":
        return data
    real = data.real.dtype
    floats = data.copy().view(real)
    floats[np.isnan(floats)] = np.nan
    return floats.view(data.dtype).reshape(prod(data.shape))
