"""Why a job ended, from what Slurm still says of it and from the end of its log."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Ending", "Fate", "accounted_endings", "fate_of", "recorded_ending", "words_in_log"]

Cause = Literal[
    "memory", "timeout", "preempted", "node_fail", "cancelled", "killed", "unknown"
]  # fmt: skip

_TAIL = 1 << 16
_SLACK = 2.0  # seconds between the clocks of a node and of this machine, rounding included

_STATES: dict[str, Cause] = {
    "OUT_OF_MEMORY": "memory",
    "TIMEOUT": "timeout",
    "DEADLINE": "timeout",
    "PREEMPTED": "preempted",
    "NODE_FAIL": "node_fail",
    "BOOT_FAIL": "node_fail",
    "CANCELLED": "cancelled",
    "FAILED": "killed",
}
_LOG: dict[str, Cause] = {
    r"oom[-_ ]?kill|exceeded (?:job )?memory limit": "memory",
    r"DUE TO TIME LIMIT": "timeout",
    r"DUE TO PREEMPTION|DUE TO JOB REQUEUE": "preempted",
    r"DUE TO NODE FAILURE": "node_fail",
    r"CANCELLED AT": "cancelled",
}

_is_slurms = re.compile(r"(?:slurmstepd|slurmd|srun)[^:]*: (?:error: )?(.*)").match
_date_in = re.compile(r"CANCELLED AT (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)").search


@attrs.frozen
class Fate:
    """Why a job ended: ``cause`` for a decision, ``words`` for people."""

    cause: Cause
    words: str


@attrs.frozen
class Ending:
    """What Slurm says of one start of a job; ``restarts`` is None where it does not say which."""

    state: str
    exit_code: str
    label: str
    restarts: int | None = None


def recorded_ending(text: str, job_id: str) -> Ending | None:
    """Read ``scontrol --oneliner show job``, which tells of all tasks under an array's number."""
    for line in text.splitlines():
        # What comes first is Slurm's own; the paths at the end may hold anything.
        fields = dict(part.split("=", 1) for part in reversed(line.split()) if "=" in part)
        if fields.get("JobId") != job_id:
            continue
        task = fields.get("ArrayTaskId", "")
        label = f"{fields.get('ArrayJobId')}_{task}" if task.isdecimal() else job_id
        return Ending(
            state=fields.get("JobState", ""),
            exit_code=fields.get("ExitCode", ""),
            label=label,
            restarts=int(fields.get("Restarts", "0")),
        )
    return None


def accounted_endings(text: str, job_id: str) -> list[Ending]:
    """Read ``sacct -nPX -o JobIDRaw,JobID,State,ExitCode``: the starts of a job, oldest first."""
    rows = (line.split("|") for line in text.splitlines() if line.count("|") == 3)  # noqa: PLR2004
    return [
        Ending(state=state.partition(" ")[0], exit_code=code, label=label)  # "CANCELLED by 0"
        for raw, label, state, code in rows
        if raw == job_id
    ]


def words_in_log(log: Path, since: float) -> tuple[Cause, str] | None:
    """Return what Slurm itself last wrote into a job's log, from the unix time ``since`` on.

    None if it wrote nothing that names a cause, or if there is no such file.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:  # a log that cannot be read says nothing
        return None
    found = [said for line in lines if (said := _said(line, since))]
    # An end at a limit is also written down as a plain one, in either order.
    return next((said for said in reversed(found) if said[0] != "cancelled"), None) or (
        found[-1] if found else None
    )


def _said(line: str, since: float) -> tuple[Cause, str] | None:
    slurms = _is_slurms(line)
    if not slurms:
        return None
    dated = _date_in(line)
    if dated and _unix_time(dated[1]) < since - _SLACK:
        return None
    for pattern, cause in _LOG.items():
        if re.search(pattern, line, re.IGNORECASE):
            return cause, slurms[1].strip("* ")
    return None


def _unix_time(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


def fate_of(
    job_id: str, restarts: int, endings: Sequence[Ending], said: tuple[Cause, str] | None
) -> Fate:
    """Weigh what is known of a job's start number ``restarts``: states, and its log's words.

    Slurm's state of a job that was killed for its memory may be a plain failure, and one that
    was requeued has the state of its next start; the log knows better.
    """
    ending = _of_start(restarts, endings)
    cause: Cause = "unknown" if ending is None else _STATES.get(ending.state, "unknown")
    if said and (said[0] != "cancelled" or cause == "unknown"):
        cause = said[0]
    if ending is None and endings:
        cause = _of_requeued(said)
    words = [_described(job_id, ending or (endings[-1] if endings else None), known=bool(ending))]
    if said:
        words.append(said[1])
    return Fate(cause, ": ".join(words))


def _of_requeued(said: tuple[Cause, str] | None) -> Cause:
    if said is None:  # without a word of Slurm's on the node, the node itself has most likely gone
        return "node_fail"
    # The log has the first of what a node hears, which may be the plain signal; what goes back
    # into the queue has not been cancelled.
    return "preempted" if said[0] == "cancelled" else said[0]


def _of_start(restarts: int, endings: Sequence[Ending]) -> Ending | None:
    exact = [ending for ending in endings if ending.restarts == restarts]
    if exact:
        return exact[-1]
    unnumbered = [ending for ending in endings if ending.restarts is None]
    if len(unnumbered) > restarts:
        return unnumbered[restarts]
    return unnumbered[-1] if unnumbered else None


def _described(job_id: str, ending: Ending | None, *, known: bool) -> str:
    if ending is None:
        return f"Slurm no longer knows job {job_id}"
    if not known:
        return f"job {ending.label} was put back into the queue"
    return f"{ending.state} (exit {ending.exit_code}), job {ending.label}"
