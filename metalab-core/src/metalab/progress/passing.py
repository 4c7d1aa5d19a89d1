"""What is printed while a board is drawn: it passes through the board, and appears above it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Passing", "divert", "is_directed_elsewhere", "restore"]

_STREAMS = ("stdout", "stderr")


class Writer(Protocol):
    """Writes text on a stream among whatever else it draws there."""

    def write(self, stream: TextIO, printed: str) -> None:
        """Write what was printed."""


class Passing:
    """Stands for a standard stream, and is it wherever nothing is drawn."""

    def __init__(self, name: str, original: TextIO) -> None:
        self.stream = name
        self.original = original
        self.writer: Writer | None = None

    def write(self, text: str) -> int:
        """Print the text above what is drawn."""
        writer = self.writer
        if writer is None:
            return self.original.write(text)
        writer.write(self.original, text)
        return len(text)

    def writelines(self, lines: Iterable[Any]) -> None:
        """Print lines above what is drawn."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


def is_directed_elsewhere(name: str) -> bool:
    """Tell whether somebody else stands in for a standard stream, who may be drawing on it."""
    current = getattr(sys, name)
    return current is not getattr(sys, f"__{name}__") and not isinstance(current, Passing)


def divert(writer: Writer, terminal: TextIO) -> list[Passing]:
    """Have what is printed on the standard streams pass through the writer.

    That is done where the terminal is one of them, to those that are terminals and that
    nobody has directed elsewhere.
    """
    diverted: list[Passing] = []
    if terminal not in (sys.__stdout__, sys.__stderr__):
        return diverted
    for name in _STREAMS:
        original: TextIO | None = getattr(sys, f"__{name}__")
        if original is None or not original.isatty() or is_directed_elsewhere(name):
            continue
        current = getattr(sys, name)
        passing = current if isinstance(current, Passing) else Passing(name, original)
        setattr(sys, name, passing)
        passing.writer = writer
        diverted.append(passing)
    return diverted


def restore(passing: Passing) -> None:
    """Let a standard stream be itself; whoever holds on to its stand-in may go on with that."""
    passing.writer = None
    if getattr(sys, passing.stream) is passing:
        setattr(sys, passing.stream, passing.original)
