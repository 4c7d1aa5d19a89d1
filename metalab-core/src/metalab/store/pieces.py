"""Pieces: the current lines of a log in groups, and what may be kept beside those that stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Keep", "Piece"]


class Keep(Protocol):
    """A place for something that was made of lines; whoever uses it can do without.

    ``key`` names exactly those lines: what is kept must say for which key it was made.
    """

    @property
    def key(self) -> bytes:
        """A hash of the lines' checksums, in their order."""
        ...

    def load(self) -> memoryview | None:
        """Return what was kept last, be it whole or not; None if there is nothing."""
        ...

    def save(self, parts: Iterable[bytes]) -> None:
        """Keep the bytes of the parts in a row, instead of what was kept; it may fail silently."""
        ...


@attrs.frozen
class Piece:
    """Current lines of ``size`` runs; ``keep`` is None where they may change at any time.

    ``blocks`` yields the lines, some at a time with line feeds between them, in an order that
    is the same as long as the key is.
    """

    size: int
    blocks: Callable[[], Iterator[bytes]]
    keep: Keep | None = None
