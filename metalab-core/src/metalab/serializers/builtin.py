"""The plugin for objects of Python's own types, and for whatever is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.hookspecs import hookimpl
from metalab.serializers.forms import BytesSerializer, JsonSerializer, TextSerializer

if TYPE_CHECKING:
    from metalab.serializers.base import Serializer

__all__ = ["metalab_serializer_for", "metalab_serializer_named"]

# JSON comes last: it also takes strings and bytes, which read better as plain files.
_FORMS: tuple[Serializer, ...] = (TextSerializer(), BytesSerializer(), JsonSerializer())
_BY_FORMAT = {form.format: form for form in _FORMS}


@hookimpl
def metalab_serializer_for(obj: object) -> Serializer | None:
    """Choose text for a string, bytes for bytes, and JSON for all else that has such a form.

    A function or a class is declined: JSON would hold its name, not what it does.
    """
    if isinstance(obj, type) or hasattr(obj, "__qualname__"):
        return None
    return next((form for form in _FORMS if form.can_handle(obj)), None)


@hookimpl
def metalab_serializer_named(format: str) -> Serializer | None:  # noqa: A002  the hook's name for it
    """Return the serializer of a ``builtins/...`` format."""
    return _BY_FORMAT.get(format)
