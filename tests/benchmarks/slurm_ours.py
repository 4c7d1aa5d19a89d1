"""Jobs of a cluster through metalab's public API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import metalab
from benchmarks.ours import experiment, imported, running
from benchmarks.slurm_work import align, count_calls
from benchmarks.work import PILOTS, Work

if TYPE_CHECKING:
    from collections.abc import Callable

_JOB = {"pilots": PILOTS, "memory": "300M", "time": "10"}


def pilots(work: Work) -> Callable[[], int]:
    """W7: run everything on so many pilots, until all of it is durable."""
    align(work.folder.parent)
    return running(work, experiment(work.runs), metalab.SlurmExecutor(**_JOB))


def counted(work: Work) -> Callable[[], int]:
    """W7: the same, and every call of one of Slurm's commands is written down, by whomever."""
    count_calls(work.folder.parent)
    return pilots(work)


def submit(work: Work) -> Callable[[], int]:
    """W7: submit everything, as pending runs of jobs that do not begin."""
    imported()
    count_calls(work.folder.parent)
    held = metalab.SlurmExecutor(**_JOB, extra_sbatch={"hold": True})

    def phase() -> int:
        handle = metalab.run(experiment(work.runs), store=work.folder, executor=held)
        return handle.status.pending

    return phase


def reconnect(work: Work) -> Callable[[], int]:
    """W7: a handle on such a launch, from the store alone."""
    return lambda: metalab.reconnect(work.folder).status.pending
