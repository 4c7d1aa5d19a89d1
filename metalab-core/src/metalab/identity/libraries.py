"""Libraries: what identifies their objects, as told by the plugin named after each library."""

from __future__ import annotations

import sys

import attrs

from metalab.plugins import SERIALIZERS

__all__ = ["CanonicalForm", "library_form"]


@attrs.frozen
class CanonicalForm:
    """What identifies an object of a library: ``payload`` is made of plain values.

    With ``tag`` None the object is identified with the plain value itself; else it is the
    payload under that tag, told apart from every other library's.
    """

    tag: str | None
    payload: object


def library_form(value: object) -> tuple[str, CanonicalForm] | None:
    """Return the library that knows an object and the form its plugin gives it, or None."""
    for cls in type(value).__mro__:
        library = cls.__module__.partition(".")[0]
        if library not in sys.stdlib_module_names and library in SERIALIZERS:
            form = SERIALIZERS[library].metalab_canonical_form(obj=value)
            if form is not None:
                return library, form
    return None
