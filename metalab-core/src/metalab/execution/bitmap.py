"""Bitmaps: which of so many runs are meant, one bit a run."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bitmap_of", "bits_of"]

_BITS = [[bit for bit in range(8) if byte >> bit & 1] for byte in range(256)]


def bitmap_of(indices: Sequence[int], runs: int) -> bytes:
    """Return the bitmap of some of ``runs`` indices: bit ``i % 8`` of byte ``i // 8`` is for i."""
    if len(indices) == runs:
        whole, rest = divmod(runs, 8)
        return b"\xff" * whole + bytes([(1 << rest) - 1] if rest else [])
    bits = bytearray(-(-runs // 8))
    for index in indices:
        bits[index >> 3] |= 1 << (index & 7)
    return bytes(bits)


def bits_of(bitmap: bytes | memoryview, runs: int) -> Sequence[int]:
    """Return the indices that a bitmap of so many runs holds, in order."""
    if bitmap == bitmap_of(range(runs), runs):
        return range(runs)
    found = array("Q")
    for place, byte in enumerate(bitmap):
        if byte:
            found.extend([8 * place + bit for bit in _BITS[byte]])
    return found
