"""The library whose objects the serializer keeps."""

from __future__ import annotations

__all__ = ["Square"]


class Square:
    """A square, equal to every square of its side."""

    def __init__(self, side: float) -> None:
        self.side = side

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Square) and self.side == other.side

    def __hash__(self) -> int:
        return hash(self.side)

    def __repr__(self) -> str:
        return f"Square({self.side!r})"
