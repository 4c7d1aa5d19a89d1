"""Measuring on a cluster of its own: the rows of W7."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from benchmarks.contests import Contender, Contest
from benchmarks.cost import THROUGHPUT, WALL
from benchmarks.limits import LIMITS
from benchmarks.measure import Phase, PhaseError
from benchmarks.report import Row
from benchmarks.rows import rows_of
from benchmarks.slurm_work import counted_calls
from slurm.slurm_cluster import SlurmCluster, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measure import Bench

__all__ = ["absent", "cluster", "launch_rows", "submission_rows"]

_TASKS = Phase("slurm_floors:tasks")
_COUNTED = Phase("slurm_ours:counted")
_SUBMIT = Phase("slurm_ours:submit")
_LAUNCH = Contest(
    "W7 chunks",
    Phase("slurm_floors:chunks"),
    (Contender("4 pilots; floor: 4 chunks by hand", Phase("slurm_ours:pilots")),),
    THROUGHPUT,
)
_SUBMISSION = Contest(
    "W7 submit",
    Phase("ours:identify"),
    (
        Contender("submit pending runs; floor: plan them", _SUBMIT),
        Contender("reconnect to them", Phase("slurm_ours:reconnect", after=_SUBMIT), judged=False),
    ),
    WALL,
)


def absent() -> str:
    """Say what a cluster needs that is not installed; empty if all is there."""
    return ", ".join(missing())


@contextmanager
def cluster() -> Iterator[None]:
    """Have a cluster on which Slurm's commands act; it ends with this process at the latest."""
    started = SlurmCluster()
    before = dict(os.environ)
    os.environ.update({name: started.environment[name] for name in ("PATH", "SLURM_CONF")})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        started.stop()


def launch_rows(bench: Bench, runs: int, tasks: int, repetitions: int) -> Iterator[Row]:
    """Measure pilots against chunks by hand, and an array of ``tasks`` runs, one in each."""
    (row,) = rows_of(bench, _LAUNCH, runs, repetitions)
    yield row
    (floor,) = bench.take_turns([_TASKS], tasks, 1, THROUGHPUT)
    if isinstance(floor, PhaseError):
        raise floor
    yield attrs.evolve(
        row,
        what=f"4 pilots; floor: an array of {tasks:,}, a run each",
        floor=THROUGHPUT.read(floor, 0.0),
        floor_mb=floor.peak_mb,
        limit=LIMITS["W7 tasks"],
    )
    yield _calls_row(bench, _COUNTED, runs, "calls of Slurm's commands; floor: sbatch")


def submission_rows(bench: Bench, runs: int, repetitions: int) -> Iterator[Row]:
    """Measure submitting runs that stay pending, and finding them again, against planning."""
    yield from rows_of(bench, _SUBMISSION, runs, repetitions)
    yield _calls_row(bench, _SUBMIT, runs, "calls of sbatch to submit them", "sbatch")


def _calls_row(bench: Bench, phase: Phase, runs: int, what: str, *only: str) -> Row:
    row = Row("W7", what, 1.0, None, unit="calls", runs=runs, limit=LIMITS["W7 calls"])
    try:
        calls = counted_calls(bench.folder_of(phase, runs).parent)
    except PhaseError as error:
        return attrs.evolve(row, reason=str(error))
    counts = [count for name, count in calls.items() if name in only or not only]
    limit = LIMITS["W7 sbatch"] if only else row.limit
    return attrs.evolve(row, ours=float(sum(counts)), limit=limit)
