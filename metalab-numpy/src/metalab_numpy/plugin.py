"""The plugin ``numpy`` of metalab: numpy objects as parameters, metrics and artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metalab.hookspecs import hookimpl
from metalab_numpy import forms
from metalab_numpy.serializers import NpySerializer, NpzSerializer

if TYPE_CHECKING:
    from metalab.identity.canonical import CanonicalForm
    from metalab.serializers.base import Serializer

__all__ = [
    "metalab_canonical_form",
    "metalab_revive",
    "metalab_serializer_for",
    "metalab_serializer_named",
]

_SERIALIZERS: tuple[Serializer, ...] = (NpySerializer(), NpzSerializer())


@hookimpl
def metalab_canonical_form(obj: object) -> CanonicalForm | None:
    """Identify scalars with the Python values they equal, arrays by dtype, shape and content."""
    return forms.form_of(obj)


@hookimpl
def metalab_revive(tag: str, payload: object) -> object | None:
    """Rebuild an array, date, dtype or ufunc."""
    return forms.revive(tag, payload)


@hookimpl
def metalab_serializer_for(obj: object) -> Serializer | None:
    """Store arrays as npy, even those that ``dump`` has a reason to refuse.

    A dict of arrays becomes npz only where the format is named.
    """
    return _SERIALIZERS[0] if isinstance(obj, np.ndarray) else None


@hookimpl
def metalab_serializer_named(format: str) -> Serializer | None:  # noqa: A002 - the hook's name for it
    """Return the serializer of ``numpy/npy`` or ``numpy/npz``."""
    return next((found for found in _SERIALIZERS if found.format == format), None)
