"""Soft dependencies of serializers: what is asked and said of a library that may be missing."""

from __future__ import annotations

import sys

from metalab.errors import MissingExtraError

__all__ = ["class_in_use", "not_installed"]


def class_in_use(module: str, name: str) -> type | None:
    """Return a class of a library, or None while nothing has imported it: no object is of it."""
    found: type | None = getattr(sys.modules.get(module), name, None)
    return found


def not_installed(what: str, library: str, install: str) -> MissingExtraError:
    """Make the error that ``what`` (objects, in the plural) need a library that is missing."""
    return MissingExtraError(f"{what} need {library}: pip install '{install}'")
