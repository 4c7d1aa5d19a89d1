"""Bootstrap: a confidence interval of a mean that takes the numbers' own distribution.

It is the bias-corrected and accelerated interval of Efron and Tibshirani, An Introduction to
the Bootstrap (1993), chapter 14, as ``scipy.stats.bootstrap`` defines it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from functools import lru_cache
from operator import itemgetter
from random import Random
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Bootstrap", "interval_of", "resampled_means"]

_TAIL = 0.025
_KEPT = 1_000_000


@attrs.frozen
class Bootstrap:
    """How often numbers are drawn anew, and the seed of the draws.

    Raises ValueError for fewer than 100 resamples, which have no tails to speak of.
    """

    resamples: int = 9999
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        if self.resamples < 100:  # noqa: PLR2004  the docstring says it
            raise ValueError(f"resamples={self.resamples} is less than 100")


def interval_of(values: Sequence[float], how: Bootstrap) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the mean of numbers, none of them NaN.

    It depends on neither the numbers' order nor other samples: those of equal size are drawn
    from at the same places. Of fewer than two it is None, with an infinity among them NaN.
    """
    count = len(values)
    if count < 2:  # noqa: PLR2004
        return None, None
    if not all(map(math.isfinite, values)):
        return math.nan, math.nan
    if min(values) == max(values):
        return values[0], values[0]
    # Scaled by a power of two, neither sums nor cubes leave the range of floats.
    exponent = math.frexp(max(map(abs, values)))[1]
    scaled = [math.ldexp(value, -exponent) for value in values]
    means = sorted(resampled_means(scaled, how))
    low, high = (_quantile(means, share) for share in _shares(scaled, means))
    return _unscaled(low, exponent), _unscaled(high, exponent)


def resampled_means(values: Sequence[float], how: Bootstrap) -> Iterator[float]:
    """Yield the mean of each resample of the sorted numbers."""
    ordered, count = sorted(values), len(values)
    if count * how.resamples <= _KEPT:
        return (math.fsum(pick(ordered)) / count for pick in _picks(count, how))
    random = Random(how.seed)  # noqa: S311  no secret
    return (
        math.fsum(random.choices(ordered, k=count)) / count  # the same places, not kept
        for _ in range(how.resamples)
    )


@lru_cache(maxsize=4)
def _picks(count: int, how: Bootstrap) -> list[Callable[[Sequence[float]], Any]]:
    random = Random(how.seed)  # noqa: S311  no secret
    places = range(count)
    return [itemgetter(*random.choices(places, k=count)) for _ in range(how.resamples)]


def _shares(values: Sequence[float], means: Sequence[float]) -> Iterator[float]:
    """Yield the shares of the resamples below the ends, corrected for bias and skewness."""
    normal = NormalDist()
    mean = math.fsum(values) / len(values)
    # Sums are exact but for one rounding, so that what ties with the mean is equal to it.
    below = (bisect_left(means, mean) + bisect_right(means, mean)) / (2 * len(means))
    apart = [value - mean for value in values]
    squares = math.fsum(value**2 for value in apart)
    skew = math.fsum(value**3 for value in apart) / (6 * squares**1.5)
    # A mean beyond every resample would be corrected without end.
    bias = normal.inv_cdf(min(max(below, 0.5 / len(means)), 1 - 0.5 / len(means)))
    for tail in (_TAIL, 1 - _TAIL):
        moment = bias + normal.inv_cdf(tail)
        yield normal.cdf(bias + moment / (1 - skew * moment))


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 2)
    part = place - below
    return ordered[below] + (ordered[below + 1] - ordered[below]) * part


def _unscaled(value: float, exponent: int) -> float:
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)
