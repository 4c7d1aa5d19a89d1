"""How far a command is that reads much: one line on a terminal, now and then one elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Self

from metalab.cli.text import size

__all__ = ["Meter"]

_OFTEN, _SELDOM = 0.1, 10.0  # seconds between two looks, on a terminal and elsewhere


class Meter:
    """Says on the error stream how many bytes of how many are done; call it with the two."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._live = sys.stderr.isatty()
        self._next = time.monotonic() + (_OFTEN if self._live else _SELDOM)
        self._drawn = False

    def __call__(self, done: int, total: int) -> None:
        """Say it, unless that was done just now."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (_OFTEN if self._live else _SELDOM)
        text = f"{self._what}: {100 * done // max(total, 1)} % of {size(total)}"
        sys.stderr.write(f"\r\x1b[K{text}" if self._live else f"{text}\n")
        sys.stderr.flush()
        self._drawn = True

    def __enter__(self) -> Self:
        """Begin to tell."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away again."""
        if self._live and self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
