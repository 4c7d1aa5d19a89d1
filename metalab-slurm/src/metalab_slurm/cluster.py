"""A Slurm cluster as seen from a machine where its commands work."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import attrs

from metalab_slurm.commands import (
    USUAL_OPTIONS,
    Commands,
    SlurmError,
    SlurmRefused,
    SlurmUnavailable,
    is_installed,
)
from metalab_slurm.fate import (
    Ending,
    Fate,
    accounted_endings,
    fate_of,
    recorded_ending,
    words_in_log,
)
from metalab_slurm.jobs import COLUMNS, Job, read_jobs
from metalab_slurm.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


__all__ = ["Cluster"]

_FRESH = 5.0
_UNDERWAY = "RUNNING,COMPLETING,CONFIGURING,SUSPENDED,SIGNALING,STAGE_OUT,STOPPED,RESIZING"


@attrs.frozen
class _Look:
    """The user's jobs that may have processes, and when the question was put."""

    asked: float
    restarts: dict[str, int]
    ending: frozenset[str]

    def is_there(self, job_id: str, restarts: int) -> bool:
        present = self.restarts.get(job_id)
        if present is None:
            return False
        # A job that is put back into the queue counts as restarted while it is still ending.
        return present == restarts or (job_id in self.ending and present == restarts + 1)


class Cluster:
    """Submits, watches and ends jobs. Its answers are Slurm's: whatever could not be asked is
    an error or None, never an absence. Safe to share between threads.
    """

    def __init__(self, commands: Commands | None = None, site: Site | None = None) -> None:
        self.commands = commands or Commands()
        self._site = site
        self._look: _Look | None = None
        self._silent_until = 0.0
        self._lock = threading.Lock()

    def is_there(self) -> bool:
        """Tell whether Slurm's commands are installed, without calling any."""
        return is_installed()

    def readiness(self) -> tuple[bool, str]:
        """Tell whether jobs can be submitted from this machine, and say so; raises nothing."""
        if not self.is_there():
            return False, "its commands are not on the PATH here; submit from a login node"
        try:
            said = self.commands.run("scontrol", "ping")
        except SlurmError as error:
            return False, f"its commands are here, but {str(error).splitlines()[0]}"
        if " UP" not in said:
            return False, f"its commands are here, but: {' '.join(said.split())}"
        return True, "its commands are here, and its controller answers"

    def site(self) -> Site:
        """Return the cluster's settings, asked for once if not given; raises SlurmUnavailable."""
        if self._site is None:
            self._site = Site.of(self.commands.run("scontrol", "show", "config"))
        return self._site

    def submit(self, script: Path) -> str:
        """Submit a batch script and return its job's number, for an array the array's.

        Raises SlurmRefused, SlurmCrowded, or SlurmUnavailable, after which it may have been
        accepted or not.
        """
        text = script.read_text(encoding="utf-8")
        named = [name for name, option in USUAL_OPTIONS.items() if f'#SBATCH "--{option}=' in text]
        said = self.commands.run("sbatch", "--parsable", str(script), without=named)
        number = said.strip().rpartition("\n")[2].partition(";")[0].strip()
        if not number.isdecimal():
            raise SlurmUnavailable(f"sbatch printed {said!r} where a job's number belongs")
        return number

    def jobs(self, names: Sequence[str]) -> list[Job]:
        """Return the jobs of these names that Slurm knows, one call for all of them.

        One that ended is forgotten after the site's ``min_job_age``. Raises SlurmUnavailable
        where nothing is known.
        """
        if not names:
            return []
        try:
            return self._queue("--array", "--states=all", f"--name={','.join(names)}")
        except SlurmRefused as error:  # a question about names cannot be wrong
            raise SlurmUnavailable(str(error)) from error

    def alive(self, job_id: str, restarts: int, seen: float | None = None) -> bool | None:
        """Tell whether a job of this user's still has the processes of its start number.

        None where Slurm cannot be asked. ``seen`` is the ``time.monotonic()`` at which the job
        was known to have started, by default the time of the call: a look at the queue serves
        all questions about what was seen before it, and all about jobs that it shows.
        """
        seen = time.monotonic() if seen is None else seen
        with self._lock:
            look = self._look
            if look and time.monotonic() < look.asked + _FRESH:
                there = look.is_there(job_id, restarts)
                if there or seen < look.asked:
                    return there
            if time.monotonic() < self._silent_until:
                return None
            look = self._look = self._underway()
        return None if look is None else look.is_there(job_id, restarts)

    def _underway(self) -> _Look | None:
        asked = time.monotonic()
        try:
            jobs = self._queue(f"--user={os.getuid()}", f"--states={_UNDERWAY}")
        except SlurmError:  # what cannot be asked is not known
            self._silent_until = time.monotonic() + _FRESH
            return None
        ending = frozenset(job.job_id for job in jobs if job.state == "COMPLETING")
        return _Look(asked, {job.job_id: job.restarts for job in jobs}, ending)

    def cancel(self, names: Sequence[str]) -> None:
        """End all jobs of these names, the waiting ones too; raises SlurmUnavailable."""
        for name in names:
            self.commands.run("scancel", f"--name={name}")

    def requeue(self, job_id: str) -> None:
        """Put one job back into the queue: it is ended, and started again by and by.

        Raises SlurmRefused if Slurm does not know the job, or it may not be requeued.
        """
        # The number of an array's last task means the whole array.
        self.commands.run("scontrol", "requeue", self._label(job_id))

    def _label(self, job_id: str) -> str:
        array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
        if os.environ.get("SLURM_JOB_ID") == job_id and array and task:
            return f"{array}_{task}"
        try:
            known = self._queue("--array", "--states=all", f"--jobs={job_id}")
        except SlurmRefused as error:
            raise SlurmRefused(f"Slurm knows no job {job_id}: {error}") from None
        label = next((job.label for job in known if job.job_id == job_id), None)
        if label is None:
            raise SlurmRefused(f"Slurm knows no job {job_id}")
        return label

    def end_of(self, job_id: str) -> float | None:
        """Return the unix time at which a job's time is up; None where that is not known."""
        if os.environ.get("SLURM_JOB_ID") == job_id:
            own = os.environ.get("SLURM_JOB_END_TIME", "")
            if own.isdecimal():
                return float(own)
        try:
            text = self.commands.run(
                "squeue", "--noheader", "--array", f"--jobs={job_id}", "--Format=JobID:|,EndTime:|"
            )
        except SlurmError:  # the caller goes by the signal before the end instead
            return None
        rows = dict(line.split("|")[:2] for line in text.splitlines() if "|" in line)
        end = rows.get(job_id, "").strip()
        return float(end) if end.isdecimal() else None

    def fate(self, job_id: str, restarts: int, since: float, log: Path | None = None) -> Fate:
        """Say why the start number ``restarts`` of a job ended, as far as can be known.

        ``since`` is a unix time at which that start was there, ``log`` what it wrote.
        """
        said = words_in_log(log, since) if log else None
        return fate_of(job_id, restarts, self._endings(job_id, since), said)

    def _endings(self, job_id: str, since: float) -> list[Ending]:
        try:
            text = self.commands.run("scontrol", "--oneliner", "show", "job", job_id)
        except SlurmError:  # forgotten by now, or not to be asked
            text = ""
        if recorded := recorded_ending(text, job_id):
            return [recorded]
        try:
            if not self.site().has_accounting:
                return []
            text = self.commands.run(
                "sacct",
                "--noheader",
                "--parsable2",
                "--allocations",
                "--duplicates",
                f"--jobs={job_id}",
                f"--starttime=uts{int(since)}",
                "--format=JobIDRaw,JobID,State,ExitCode",
            )
        except SlurmError:  # accounting is a help where it is there
            return []
        return accounted_endings(text, job_id)

    def _queue(self, *choice: str) -> list[Job]:
        text = self.commands.run("squeue", "--noheader", *choice, f"--Format={COLUMNS}")
        try:
            return read_jobs(text)
        except ValueError as error:
            raise SlurmUnavailable(str(error)) from error
