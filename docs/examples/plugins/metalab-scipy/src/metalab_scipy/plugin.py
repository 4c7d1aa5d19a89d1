"""The plugin ``scipy`` of metalab: asked about every object of scipy, it knows the sparse ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.hookspecs import hookimpl
from metalab_scipy import forms
from metalab_scipy.serializer import SparseSerializer

if TYPE_CHECKING:
    from metalab.identity.canonical import CanonicalForm
    from metalab.serializers.base import Serializer

__all__ = [
    "metalab_canonical_form",
    "metalab_revive",
    "metalab_serializer_for",
    "metalab_serializer_named",
]

_NPZ = SparseSerializer()


@hookimpl
def metalab_canonical_form(obj: object) -> CanonicalForm | None:
    """Identify sparse arrays and matrices by class, shape, dtype and what is not zero."""
    return forms.form_of(obj)


@hookimpl
def metalab_revive(tag: str, payload: object) -> object | None:
    """Rebuild a sparse array or matrix."""
    revived: object | None = forms.revive(tag, payload)
    return revived


@hookimpl
def metalab_serializer_for(obj: object) -> Serializer | None:
    """Store sparse arrays and matrices as scipy's own npz files."""
    return _NPZ if _NPZ.can_handle(obj) else None


@hookimpl
def metalab_serializer_named(format: str) -> Serializer | None:  # noqa: A002 - the hook's name for it
    """Return the serializer of ``scipy/npz``."""
    return _NPZ if format == _NPZ.format else None
