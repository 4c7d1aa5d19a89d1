"""joblib's loky workers: calls made ready by hand, which it puts together as it sees fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib

from benchmarks.peers.common import points
from benchmarks.pool_floors import score
from benchmarks.work import WORKERS, Work

if TYPE_CHECKING:
    from collections.abc import Callable


def run(work: Work) -> Callable[[], int]:
    """Call the operation for every run."""
    parallel = joblib.Parallel(n_jobs=WORKERS)
    call = joblib.delayed(score)
    parallel(call(0.1, {}) for _ in range(WORKERS))
    return lambda: len(parallel(call(work.seconds, params) for params in points(work)))
