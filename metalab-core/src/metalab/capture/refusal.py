"""Refusals: errors that name the call, the name it was given, and the reason."""

from __future__ import annotations

import reprlib

from metalab.errors import CaptureError

__all__ = ["OVER", "check_labels", "checked_name", "refusal"]

_shortener = reprlib.Repr()
_shortener.maxstring = 200

OVER = "the run has ended; let an operation wait for the threads it starts"


def refusal(call: str, name: object, reason: object) -> CaptureError:
    """Make the error of a call that cannot keep what it was given."""
    return CaptureError(f"capture.{call}({_shortener.repr(name)}): {reason}")


def checked_name(call: str, name: object) -> str:
    """Return the name as a plain string; CaptureError if nothing can be kept under it."""
    if not isinstance(name, str):
        raise refusal(call, name, f"a name is a string, not {type(name).__name__}")
    if not name:
        raise refusal(call, name, "a name has at least one character")
    plain = str.__str__(name)
    try:
        plain.encode()
    except UnicodeEncodeError as error:
        reason = "the name holds half of a surrogate pair, which no file can hold"
        raise refusal(call, name, reason) from error
    return plain


def check_labels(call: str, name: str, **labels: object) -> None:
    """Refuse a label (a kind, a format) that is no text; None stands for one that is left out."""
    for what, label in labels.items():
        if label is not None and not isinstance(label, str):
            raise refusal(call, name, f"{what} is a str, not {reprlib.repr(label)}")
