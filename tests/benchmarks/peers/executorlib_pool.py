"""executorlib: a call submitted for every run, to workers that are kept from call to call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from executorlib import SingleNodeExecutor

from benchmarks.peers.common import points
from benchmarks.pool_floors import score
from benchmarks.work import WORKERS, Work

if TYPE_CHECKING:
    from collections.abc import Callable


def run(work: Work) -> Callable[[], int]:
    """Submit every run, and ask for each result."""
    executor = SingleNodeExecutor(max_workers=WORKERS, block_allocation=True)
    for future in [executor.submit(score, 0.1, {}) for _ in range(WORKERS)]:
        future.result()

    def phase() -> int:
        futures = [executor.submit(score, work.seconds, params) for params in points(work)]
        return len([future.result() for future in futures])

    return phase
