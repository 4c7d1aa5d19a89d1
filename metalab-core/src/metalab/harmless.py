"""Texts of runs as they may be shown: what would command a terminal is written as its escape."""

from __future__ import annotations

import re

__all__ = ["harmless"]

# Controls but tabs and ends of lines, marks that turn the direction of writing, and surrogates.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """Write what would command a terminal as its escape: a text of a run is only ever shown."""
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)
