"""What is known of pilots that are gone, and what is written of the runs that they had."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from metalab.execution.doom import Doom, causes_by_attempt
from metalab.execution.futures.testimony import Testimony
from metalab.execution.inheritance import Inheritance
from metalab.execution.worker import Worker
from metalab.runtime import CancellationToken
from metalab.store.causes import Cause
from metalab.store.claiming import Ending
from metalab_slurm.commands import SlurmError
from metalab_slurm.owner import Owner
from metalab_slurm.script import log_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from metalab.execution.base import Batch
    from metalab.execution.trail import Trail
    from metalab_slurm.cluster import Cluster
    from metalab_slurm.jobs import Job
    from metalab_slurm.launch import SlurmLaunch

__all__ = ["ending_of", "last_words", "level_of", "pauses", "surrender"]

_SHOWN = 3
_TAIL = 2000
_LINES = 6


def level_of(launch: SlurmLaunch, trail: Trail) -> Mapping[str, int]:
    """Return how often, at most, a run that is left has died for the lack of each thing."""
    causes = launch.rules.causes
    if not causes:
        return {}
    deaths: Counter[str] = Counter()
    ids = launch.dispatch.ids
    for index in trail.pending:
        losses = trail.log.losses(ids.at(index))
        newest = max((loss.epoch for loss in losses), default=0)
        lost = causes_by_attempt(loss for loss in losses if loss.epoch == newest)
        deaths |= Counter(map(str, lost.values()))  # the greater of each
    return launch.rules.level(launch.config, deaths)


def pauses(launch: SlurmLaunch, trail: Trail) -> int:
    """Count how often the runs that are left have saved themselves at the end of a job."""
    ids = launch.dispatch.ids
    losses = (loss for index in trail.pending for loss in trail.log.losses(ids.at(index)))
    return sum(loss.cause == Cause.PAUSED for loss in losses)


def last_words(launch: SlurmLaunch) -> str:
    """Say how the last few jobs ended, and what they printed last."""
    if trouble := launch.trouble():
        return f"The last one that could not go on said: {trouble}."
    try:
        jobs = [job for job in launch.jobs() if not job.is_alive]
    except SlurmError:
        jobs = []
    told = [_fate_of(launch, job) for job in _newest(jobs)]
    if not told:
        return f"Their output is in {launch.folder / 'out'}."
    return "; ".join(told) + "."


def _newest(jobs: Sequence[Job]) -> Sequence[Job]:
    """Return the last few jobs that do not look as if they had ended alike."""
    ordered = sorted(jobs, key=lambda job: int(job.job_id))
    return list({(job.state, job.reason): job for job in ordered}.values())[-_SHOWN:]


def _fate_of(launch: SlurmLaunch, job: Job) -> str:
    log = log_of(launch.folder, job.array_id, job.task or 0)
    since = min((entry.at for entry in launch.journal.read()), default=0.0)
    return ending_of(launch.cluster, Owner(job.job_id, job.restarts, int(since), log)).words


def ending_of(cluster: Cluster, owner: Owner) -> Ending:
    """Say how a pilot ended: in a word, and with Slurm's reason and the end of its output."""
    fate = cluster.fate(owner.job, owner.restarts, owner.since, owner.log)
    cause = Cause.GONE if fate.cause == "unknown" else Cause(fate.cause)
    tail = _tail(owner.log) if owner.log is not None else ""
    said = f"; its output ends with: {tail}" if tail else ""
    return Ending(cause, f"{fate.words} (output: {owner.log}{said})" if owner.log else fate.words)


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:  # a job that never began has none
        return ""
    return " | ".join(line.strip() for line in lines[-_LINES:] if line.strip())


def surrender(launch: SlurmLaunch, batch: Batch, trail: Trail, words: str) -> None:
    """Record runs as failed that were begun, and that nobody executes any more."""
    log = trail.log
    begun = [
        index
        for index in trail.pending
        if log.state(run_id := launch.dispatch.ids.at(index)) or log.losses(run_id)
    ]
    if not begun:
        return
    doom = Doom(f"the jobs that executed it have ended, and no further ones are submitted: {words}")
    with batch.store.writer(batch.launch, "undertaker", executor="slurm") as writer:
        inheritance = Inheritance(batch, writer)
        inheritance.refresh()
        inheritance.inherit(begun, careful=True)
        clerk = Worker(batch, Testimony(), writer, CancellationToken(), "slurm:undertaker")
        for index in begun:
            attempt = inheritance.attempt(batch.plan.ids.at(index))
            clerk.execute(batch.plan[index], attrs.evolve(attempt, doom=attempt.doom or doom))
