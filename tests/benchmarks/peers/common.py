"""What every peer is given: the params of each run, and an operation that costs nothing."""

from __future__ import annotations

import random
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.work import METRIC, Work, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["frame_of", "operation", "points"]


def points(work: Work) -> Iterator[dict[str, Any]]:
    """Yield the params of every run."""
    values = sweep(work.runs)
    return (dict(zip(values, point, strict=True)) for point in product(*values.values()))


def operation(**params: Any) -> float:
    """Return the metric of one run."""
    return random.Random(42).random()


def frame_of(work: Work, metrics: list[float]) -> pd.DataFrame:
    """Put results beside the params that the script has anyway."""
    return pd.DataFrame(list(points(work))).assign(**{METRIC: metrics})
