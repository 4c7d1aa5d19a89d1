"""The floor of two worker processes: a pool of the standard library, given chunks.

Nothing is stored and no worker may die; results come back through pipes, many at a time.
"""

from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from benchmarks.work import WORKERS, Work, compute, sweep

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK_SECONDS = 0.02


def chunked(work: Work) -> Callable[[], int]:
    """W5: map the operation over all points, in chunks that take about 20 ms each.

    Larger ones would leave a worker idle at the end. The workers are there before the clock
    starts, as fresh interpreters that have imported what they need.
    """
    pool = ProcessPoolExecutor(WORKERS, get_context("spawn"))
    list(pool.map(partial(score, 0.1), [{}] * WORKERS))
    chunk = max(1, round(_CHUNK_SECONDS / work.seconds)) if work.seconds else 1_000
    values = sweep(work.runs)

    def phase() -> int:
        points = (dict(zip(values, point, strict=True)) for point in product(*values.values()))
        scores = pool.map(partial(score, work.seconds), points, chunksize=chunk)
        return sum(1 for _ in scores)

    return phase


def score(seconds: float, params: dict[str, Any]) -> float:
    """Compute for so long, and return the metric."""
    compute(seconds)
    return random.Random(len(params)).random()
