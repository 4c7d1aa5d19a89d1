"""Numbers of samples: mean, deviation, and the confidence interval of the mean."""

from __future__ import annotations

import math
from functools import cache
from operator import mul
from statistics import NormalDist
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Sample", "student_quantile"]

_LEVEL = 0.95
_MANY = 1000
_WIDE = 1000  # binary digits, of the 1,022 that floats reach down to


@attrs.frozen
class Sample:
    """What is told of some numbers; what too few of them do not define is None."""

    n: int
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """Look at numbers, none of them NaN; sums are exact but for one rounding."""
        count = len(values)
        if not count:
            return cls(0)
        largest = max(map(abs, (min(values), max(values))))
        if math.isinf(largest):
            return cls(count, sum(v for v in values if math.isinf(v)), *_undefined(count))
        # Scaled by a power of two, neither sums nor squares leave the range of floats.
        exponent = math.frexp(largest)[1]
        scaled = _scaled(values, -exponent)
        middle = math.fsum(scaled) / count
        mean = _unscaled(middle, exponent)
        if count == 1:
            return cls(count, mean)
        # The mean is rounded; the second sum takes out what that adds to the squares.
        apart = [value - middle for value in scaled]
        squares = math.fsum(map(mul, apart, apart)) - math.fsum(apart) ** 2 / count
        sd = math.sqrt(max(squares, 0.0) / (count - 1))
        half = student_quantile(count - 1) * sd / math.sqrt(count)
        return cls(
            count,
            mean,
            _unscaled(sd, exponent),
            _unscaled(middle - half, exponent),
            _unscaled(middle + half, exponent),
        )


def _undefined(count: int) -> tuple[float | None, ...]:
    return (None if count == 1 else math.nan,) * 3


def _scaled(values: Sequence[float], exponent: int) -> list[float]:
    if abs(exponent) < _WIDE:  # the power is a float, and products take half the time
        power = math.ldexp(1.0, exponent)
        return [value * power for value in values]
    return [math.ldexp(value, exponent) for value in values]


def _unscaled(value: float, exponent: int) -> float:
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


@cache
def student_quantile(freedom: int) -> float:
    """Return t with a probability of 95 % between -t and t, for degrees of freedom from 1.

    By halving on the closed forms 26.7.3 and 26.7.4 of Abramowitz and Stegun, Handbook of
    Mathematical Functions; beyond 1,000 degrees by their expansion 26.7.5.
    """
    if freedom > _MANY:
        return _expanded(NormalDist().inv_cdf((1 + _LEVEL) / 2), freedom)
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _within(middle, freedom) < _LEVEL else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """Return the probability between -t and t, where t is sqrt(freedom) * tan(angle)."""
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    terms = [term] if freedom > 1 else []
    for k in range(2 + odd, freedom - 1, 2):
        term *= square * (k - 1) / k
        terms.append(term)
    series = sine * math.fsum(terms)
    return 2 / math.pi * (angle + series) if odd else series


def _expanded(x: float, freedom: int) -> float:
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))
