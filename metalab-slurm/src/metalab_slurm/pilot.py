"""A pilot: what a Slurm job executes. ``python -m metalab_slurm.pilot FOLDER [CAUSE=COUNT...]``.

It ends with exit code 0 whenever it has behaved, whatever became of its runs, so that a job
which Slurm calls failed is one whose process died.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from metalab.errors import MetalabError
from metalab.execution.dispatch import Dispatch
from metalab.execution.process.pilot import Farewell, Notice, Pilot, Terms
from metalab_slurm.cluster import Cluster
from metalab_slurm.commands import SlurmError
from metalab_slurm.launch import SlurmLaunch
from metalab_slurm.owner import Owner
from metalab_slurm.script import log_of
from metalab_slurm.site import Site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

__all__ = ["main"]

_LOG = logging.getLogger("metalab_slurm")
_LOOK_EVERY = 2.0
_STARTUP_ERROR = 65
_KILL_SLACK = 2.0
_MOST_EARLY = 65.0  # seconds by which sbatch's --signal may be, and some more
_LONGEST_GOODBYE = 30.0
_REASONS = {
    "": "nothing is left for it",
    "idle": "others execute what is left",
    "time": "its time is nearly up",
    "ended": "Slurm ends it",
    "cancelled": "the launch was cancelled",
    "failures": "as many runs have failed as the launch puts up with",
}


class Job:
    """The job that this process is: what Slurm says of it, and to it."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        array = environ.get("SLURM_ARRAY_JOB_ID")
        task = environ.get("SLURM_ARRAY_TASK_ID")
        log = log_of(folder, array, int(task)) if array and task else None
        self.owner = Owner.here(environ, time.time(), log)
        self.label = self.owner.job if log is None else log.stem
        self.is_first = task in {None, "0"}
        self._notice = ""
        for number in (signal.SIGUSR2, signal.SIGTERM):
            signal.signal(number, self._take)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        # Several copies of a signal may come; the end is more urgent than the warning.
        if number == signal.SIGTERM or not self._notice:
            self._notice = "ended" if number == signal.SIGTERM else "time"

    @property
    def notice(self) -> str:
        """What Slurm has asked for: ``time`` before the job's end, ``ended`` at it."""
        return self._notice


class Watch:
    """Says when a pilot is to end: Slurm has asked for it, or somebody cancelled the launch."""

    def __init__(self, job: Job, launch: SlurmLaunch, margin: float, kill_wait: float) -> None:
        self._job = job
        self._launch = launch
        self._margin = margin
        self._kill_wait = kill_wait
        self._until: float | None = None
        self._looked = 0.0

    def until(self) -> float | None:
        """Return the time.monotonic() at which the job's time is up; None where Slurm is mute."""
        end = self._launch.cluster.end_of(self._job.owner.job)
        self._until = None if end is None else time.monotonic() + end - time.time()
        return self._until

    def __call__(self) -> Notice | None:
        """Return what was asked for, None while nothing was."""
        if self._job.notice == "ended":
            reason = "cancelled" if self._launch.is_cancelled() else "ended"
            return Notice(reason, max(1.0, self._kill_wait - _KILL_SLACK))
        if self._job.notice and not self._is_early():
            return Notice(self._job.notice)
        if time.monotonic() - self._looked > _LOOK_EVERY:
            self._looked = time.monotonic()
            if self._launch.is_cancelled():
                return Notice("cancelled", max(1.0, self._kill_wait - _KILL_SLACK))
        return None

    def _is_early(self) -> bool:
        """Tell whether Slurm may have warned of the job's end too early: a pilot sees it coming."""
        if self._until is None:
            return False
        return 0 < self._until - self._margin - time.monotonic() < _MOST_EARLY


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Execute runs of the dispatch in a folder; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s metalab: %(message)s")
    folder, *level = arguments
    dispatch = Dispatch.of(Path(folder))
    site = Site.from_dict(dispatch.options["site"])
    launch = SlurmLaunch.of(dispatch, Cluster(site=site))
    job = Job(environ, launch.folder)
    if launch.is_cancelled():
        return 0
    try:
        farewell = _piloted(job, launch, dict(_count(each) for each in level))
    except Exception as error:  # noqa: BLE001  an import of the user's modules may raise anything
        launch.report_trouble(job.label, _explained(error))
        _LOG.exception("this job cannot execute runs")
        return _STARTUP_ERROR
    _LOG.info("%s", _told(farewell))
    if farewell.reason == "time" and farewell.left and not launch.is_cancelled():
        _go_on(job, launch)
    return 0


def _piloted(job: Job, launch: SlurmLaunch, level: Mapping[str, int]) -> Farewell:
    config = launch.rules.config(launch.config, level)
    watch = Watch(job, launch, config.margin_seconds, launch.cluster.site().kill_wait)
    terms = Terms(
        workers=config.workers_per_pilot,
        threads=max(1, config.cpus // config.workers_per_pilot),
        until=watch.until,
        margin=config.margin_seconds,
        most=config.runs_each,
        attempts=config.attempts + launch.rules.steps(launch.config),
        allowance=launch.rules.allowance(launch.config, level),
        derives=job.is_first,
        owner=str(job.owner),
        label=f"slurm:{job.label}",
    )
    return Pilot(launch.dispatch, terms, watch).run()


def _go_on(job: Job, launch: SlurmLaunch) -> None:
    """Have this job begin anew later, where runs are left that its time did not suffice for."""
    if job.owner.restarts >= launch.config.max_requeues:
        _LOG.info("not put back into the queue: it has been %d times", job.owner.restarts)
        return
    try:
        launch.cluster.requeue(job.owner.job)
    except SlurmError as error:  # whoever follows the launch submits another one
        _LOG.warning("this job cannot be put back into the queue: %s", error)
        return
    # Slurm ends this process now, which must not seem to have ended by itself before that.
    give_up = time.monotonic() + _LONGEST_GOODBYE
    while job.notice != "ended" and time.monotonic() < give_up:
        time.sleep(0.05)


def _count(text: str) -> tuple[str, int]:
    cause, _, count = text.partition("=")
    return cause, int(count)


def _told(farewell: Farewell) -> str:
    return (
        f"this pilot ends: {_REASONS[farewell.reason]}; {farewell.left} runs left, "
        f"{farewell.cut} cut short"
    )


def _explained(error: Exception) -> str:
    if isinstance(error, MetalabError):
        return str(error)
    return "".join(traceback.format_exception(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
