"""Refusals: why another process cannot execute a launch, told there and raised here."""

from __future__ import annotations

from metalab import errors
from metalab.errors import MetalabError, PayloadError
from metalab.execution.outcome import error_info

__all__ = ["Description", "described", "refusal"]

Description = tuple[str, str, str]
"""An exception's type, text and traceback."""


def described(error: BaseException) -> Description:
    """Describe an exception, whose class another process may not know."""
    told = error_info(error)
    return told["type"], told["message"], told["traceback"]


def refusal(experiment_id: str, description: Description) -> MetalabError:
    """Return what ends a launch that workers cannot execute, from what they met."""
    kind, message, trace = description
    own = getattr(errors, kind, None)
    if isinstance(own, type) and issubclass(own, errors.StoreError | PayloadError):
        return own(message)
    error = PayloadError(f"the worker processes cannot execute {experiment_id}: {kind}: {message}")
    if trace:
        error.add_note(f"In the worker:\n{trace}")
    return error
