"""Slurm's jobs as its queue shows them, and why some of them will never start."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["COLUMNS", "Job", "read_jobs", "warnings_of"]

_FIELDS = (
    "JobID", "ArrayJobID", "ArrayTaskID", "State", "Reason", "NodeList", "RestartCnt", "Name",
)  # fmt: skip

COLUMNS = ",".join(f"{field}:|" for field in _FIELDS)
"""squeue's ``--Format`` for ``read_jobs``; a bar instead of a width leaves nothing cut off."""

_FINISHED = frozenset({
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "REVOKED", "TIMEOUT",
})  # fmt: skip
_PENDING = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"})

_ENDLESS = {
    r"PartitionTimeLimit": "asks for more time than its partition allows: give a shorter time= "
    "or another partition=",
    r"PartitionNodeLimit": "asks for more nodes than its partition allows: give another partition=",
    r"PartitionDown|PartitionInactive": "waits for a partition that starts no jobs at present: "
    "give another partition=, or ask who runs the cluster",
    r"DependencyNeverSatisfied": "depends on a job that failed: cancel it, and submit without "
    "that dependency",
    r"held|JobHold": "is held: whoever holds it lets it go with `scontrol release`",
    r"BadConstraints|PartitionConfig": "asks for what no node has: change cpus=, memory=, gpus= "
    "or constraint=",
    r"InvalidAccount|InvalidQOS": "may not use its account or QOS: give account= or qos=",
    r"Assoc|QOS": "waits for a limit of your account or QOS: it starts once your other jobs end, "
    "or never if it alone asks for more than the limit",
    r"ReqNodeNotAvail": "needs a node that is down, drained or reserved: it waits for that node, "
    "or for the end of a maintenance that its time= reaches into",
}


@attrs.frozen
class Job:
    """One job, or one task of an array; a waiting part of an array that is one row has no task.

    ``job_id`` is its own number, which for the last task of an array is that of the array.
    ``restarts`` counts how often Slurm put it back into the queue.
    """

    job_id: str
    array_id: str
    task: int | None
    name: str
    state: str
    reason: str = ""
    node: str = ""
    restarts: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether it is not over; a state that is not known here does not prove an end."""
        return self.state not in _FINISHED

    @property
    def is_pending(self) -> bool:
        """Whether it waits to be started, for the first time or again."""
        return self.state in _PENDING

    @property
    def is_running(self) -> bool:
        """Whether a process of it may be there, be it one that is being ended."""
        return self.is_alive and not self.is_pending

    @property
    def label(self) -> str:
        """The job's number as Slurm's users write it: ``17_3`` for a task of an array."""
        return self.job_id if self.task is None else f"{self.array_id}_{self.task}"


def read_jobs(text: str) -> list[Job]:
    """Read the rows of ``squeue -O`` with ``COLUMNS``; raises ValueError for any other text."""
    return [_job(line) for line in text.splitlines() if line.strip()]


def _job(line: str) -> Job:
    parts = [part.strip() for part in line.strip().removesuffix("|").split("|", len(_FIELDS) - 1)]
    if len(parts) != len(_FIELDS) or not parts[0].isdecimal():
        raise ValueError(f"squeue printed {line!r}, which is no row of its queue")
    job_id, array_id, task, state, reason, node, restarts, name = parts
    return Job(
        job_id=job_id,
        array_id=array_id if array_id.isdecimal() else job_id,
        task=int(task) if task.isdecimal() else None,
        name=name,
        state=state.partition(" ")[0].rstrip("+"),  # "CANCELLED by 0"
        reason=reason.strip("()"),
        node=node,
        restarts=int(restarts) if restarts.isdecimal() else 0,
    )


def warnings_of(jobs: Iterable[Job]) -> list[str]:
    """Say of jobs that may wait for ever why, and what to do; one text for each reason."""
    waiting: dict[str, list[Job]] = {}
    for job in jobs:
        if job.is_pending and job.reason:
            waiting.setdefault(job.reason, []).append(job)
    told = ((reason, _meaning(reason), jobs) for reason, jobs in sorted(waiting.items()))
    return [f"{_named(jobs)} {meaning} ({reason})" for reason, meaning, jobs in told if meaning]


def _meaning(reason: str) -> str | None:
    found = (text for about, text in _ENDLESS.items() if re.search(about, reason, re.IGNORECASE))
    return next(found, None)


def _named(jobs: Sequence[Job]) -> str:
    first = f"job {jobs[0].label}"
    return first if len(jobs) == 1 else f"{first}, as {len(jobs) - 1} more,"
