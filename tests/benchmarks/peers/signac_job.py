"""signac: one job a run, its metric in the job's document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import signac

from benchmarks.peers.common import operation, points
from benchmarks.work import METRIC, Work

if TYPE_CHECKING:
    from collections.abc import Callable


def run(work: Work) -> Callable[[], int]:
    """Open every job and do what is missing in its document."""

    def phase() -> int:
        project = signac.init_project(work.folder)
        count = 0
        for params in points(work):
            job = project.open_job(params)
            if METRIC not in job.document:
                job.document[METRIC] = operation(**params)
            count += 1
        return count

    return phase


def frame(work: Work) -> Callable[[], int]:
    """Ask the project for a frame of its jobs."""
    return lambda: len(signac.get_project(work.folder).to_dataframe())
