"""The sequence: any point of it by its number, without those before it.

Point i of a Sobol sequence is the exclusive or of the points at which one bit of the Gray code
is set, one for each bit that is set in that of i. So scipy is asked for a few points once, and
any other follows from them.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

from scipy.stats import qmc

__all__ = ["LARGEST", "point"]

_DIGITS = 30
LARGEST = 2**_DIGITS
"""How many points there are, before they repeat."""


def point(index: int, dimensions: int, seed: int) -> list[float]:
    """Return the coordinates of a point, each from 0 on and less than 1.

    The seed shifts all points, digit by digit, which leaves them as evenly spread as they were:
    the unshifted sequence begins in a corner. It is shifted here, and not by scipy, whose
    random numbers may be others in another version.
    """
    digits = _shift(dimensions, seed)
    gray = index ^ (index >> 1)
    for bit, column in enumerate(_columns(dimensions, gray.bit_length())):
        if gray >> bit & 1:
            digits = [one ^ other for one, other in zip(digits, column, strict=True)]
    return [each / LARGEST for each in digits]


@lru_cache(maxsize=64)
def _columns(dimensions: int, bits: int) -> list[list[int]]:
    """Return the points at which the Gray code has one bit, for each of the lowest bits."""
    engine: Any = qmc.Sobol(dimensions, scramble=False, bits=_DIGITS)
    columns: list[list[int]] = []
    for bit in range(bits):
        engine.fast_forward(2 ** (bit + 1) - 1 - engine.num_generated)
        (coordinates,) = engine.random(1)
        columns.append([int(each * LARGEST) for each in coordinates])
    return columns


@lru_cache(maxsize=64)
def _shift(dimensions: int, seed: int) -> list[int]:
    hashes = (sha256(f"metalab.sobol:{seed}:{d}".encode()).digest() for d in range(dimensions))
    return [int.from_bytes(each[:4], "big") % LARGEST for each in hashes]
