"""Soft dependencies of serializers: what is said where one is not installed."""

from __future__ import annotations

from metalab.errors import MissingExtraError

__all__ = ["not_installed"]


def not_installed(what: str, library: str, install: str) -> MissingExtraError:
    """Make the error that ``what`` (objects, in the plural) need a library that is missing."""
    return MissingExtraError(f"{what} need {library}: pip install '{install}'")
