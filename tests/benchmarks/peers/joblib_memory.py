"""joblib's Memory: a memoized function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib

from benchmarks.peers.common import frame_of, operation, points

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Work


def run(work: Work) -> Callable[[], int]:
    """Call the function for every run."""
    return lambda: len(_scores(work))


def frame(work: Work) -> Callable[[], int]:
    """Put the memoized results beside their params."""
    return lambda: len(frame_of(work, _scores(work)))


def _scores(work: Work) -> list[float]:
    score = joblib.Memory(work.folder, verbose=0).cache(operation)
    return [score(**params) for params in points(work)]
