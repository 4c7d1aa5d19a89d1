"""A launch on a cluster: what was kept of it, its jobs, and its folder.

``launches/<id>/slurm`` holds ``submit.jsonl`` (what was submitted, written before it is), the
scripts, ``out/`` (what the jobs print), ``trouble/`` (why a job could not begin) and
``cancelled``, once somebody has ended the launch. All is found from the folder alone.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import attrs

from metalab.execution.dispatch import Dispatch
from metalab_slurm.commands import SlurmError, SlurmUnavailable
from metalab_slurm.config import SlurmConfig
from metalab_slurm.escalation import Escalation
from metalab_slurm.jobs import Job, warnings_of
from metalab_slurm.journal import Journal
from metalab_slurm.placing import Placed, place
from metalab_slurm.script import batch_script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from metalab.execution.base import Batch
    from metalab_slurm.cluster import Cluster
    from metalab_slurm.journal import Entry

__all__ = ["SlurmLaunch"]

_LOG = logging.getLogger(__name__)
_PILOT = "metalab_slurm.pilot"
_UNITS_EACH = 64
_LEAST_UNITS = 256


@attrs.frozen(eq=False, slots=False)
class SlurmLaunch:
    """One launch, as any process finds it."""

    dispatch: Dispatch
    config: SlurmConfig
    rules: Escalation
    cluster: Cluster

    @classmethod
    def keep(
        cls,
        batch: Batch,
        packed_plan: bytes,
        config: SlurmConfig,
        rules: Escalation,
        cluster: Cluster,
    ) -> Self:
        """Keep a batch for jobs to come; raises StoreError."""
        site = cluster.site()
        options = {
            "config": config.to_dict(),
            "rules": rules.to_dict(),
            "site": site.to_dict(),  # for pilots, which are many, and may have no commands
        }
        most = config.pilots_for(len(batch.pending) or 1, site)
        # One hour-long run must not hold back a unit's others: more pilots, smaller units.
        batch.store.claims(
            batch.plan.digest, len(batch.plan), max(_LEAST_UNITS, _UNITS_EACH * most)
        )
        dispatch = Dispatch.keep(batch, packed_plan, "slurm", options, snapshot=config.snapshot)
        launch = cls(dispatch, config, rules, cluster)
        for part in ("out", "trouble"):
            (launch.folder / part).mkdir(parents=True, exist_ok=True)
        return launch

    @classmethod
    def of(cls, dispatch: Dispatch, cluster: Cluster) -> Self:
        """Read a launch that was kept."""
        options = dispatch.options
        rules = Escalation(**options["rules"])
        return cls(dispatch, SlurmConfig.from_dict(options["config"]), rules, cluster)

    @property
    def folder(self) -> Path:
        """Where the launch's own files are."""
        return self.dispatch.folder / "slurm"

    @property
    def name(self) -> str:
        """What its jobs are called, and no others."""
        return f"metalab-{self.dispatch.launch}"

    @cached_property
    def journal(self) -> Journal:
        """What was submitted."""
        return Journal(self.folder)

    # Jobs.

    def place(self, runs: int, level: Mapping[str, int] | None = None) -> Placed:
        """Submit pilots for so many runs, which may have died so often for the lack of something.

        Raises SlurmError where none is accepted.
        """
        level = level or {}
        config = self.rules.config(self.config, level)
        told = [f"{cause}={count}" for cause, count in level.items()]
        command = [config.python, "-P", "-m", _PILOT, str(self.dispatch.folder), *told]

        def make_script(pilots: int) -> str:
            return batch_script(
                config,
                name=self.name,
                array=pilots,
                folder=self.folder,
                command=command,
                directory=self.dispatch.surroundings.directory,
                environment=_environment(),
            )

        most = config.pilots_for(runs, self.cluster.site())
        placed = place(self.cluster, self.journal, make_script, self.folder, self.name, most)
        if placed.words:
            self.journal.note(placed.words)
            _LOG.warning("%s: %s", self.dispatch.experiment_id, placed.words)
        return placed

    def jobs(self) -> list[Job]:
        """Return the jobs that Slurm knows; raises SlurmUnavailable where it does not answer."""
        return self.cluster.jobs([self.name])

    def is_under_way(self) -> bool | None:
        """Tell whether any job waits or runs; None where Slurm does not answer."""
        try:
            return any(job.is_alive for job in self.jobs())
        except SlurmUnavailable:
            return None

    def knows_all(self, jobs: Sequence[Job]) -> bool:
        """Tell whether some jobs are of every array that is known to be submitted."""
        submitted = set(self.journal.job_ids(self.name))
        return bool(submitted) and submitted <= {job.array_id for job in jobs}

    # Cancelling.

    def cancel(self) -> None:
        """End all jobs, and have those that Slurm cannot reach end by themselves."""
        try:
            (self.folder / "cancelled").touch()
        finally:
            self.cluster.cancel([self.name])

    def is_cancelled(self) -> bool:
        """Tell whether somebody has ended the launch."""
        return (self.folder / "cancelled").exists()

    def revive(self) -> None:
        """Let further jobs be submitted after the launch was cancelled."""
        (self.folder / "cancelled").unlink(missing_ok=True)

    # What the jobs print.

    def outputs(self) -> list[Path]:
        """Return the logs of its jobs, the one that was written to last at the end."""
        logs = [path for path in (self.folder / "out").glob("*.log") if path.is_file()]
        return sorted(logs, key=lambda path: (path.stat().st_mtime_ns, path.name))

    # Trouble.

    def report_trouble(self, job: str, words: str) -> None:
        """Write down why a job could not execute anything."""
        folder = self.folder / "trouble"
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{job}.{os.getpid()}"
        aside.write_text(words.rstrip() + "\n", encoding="utf-8")
        aside.rename(folder / f"{job}.txt")

    def trouble(self) -> str | None:
        """Return what the last job that could not begin has said."""
        try:
            told = [path for path in (self.folder / "trouble").iterdir() if path.suffix == ".txt"]
        except FileNotFoundError:
            return None
        if not told:
            return None
        last = max(told, key=lambda path: path.stat().st_mtime_ns)
        return f"{last.read_text(encoding='utf-8').strip()}\n(job {last.stem}, {last})"

    # What people are told.

    def describe(self) -> dict[str, Any]:
        """Say how the launch stands, from the queue and from its folder."""
        submitted = self.journal.job_ids(self.name)
        document: dict[str, Any] = {
            "job_ids": submitted,
            "name": self.name,
            "cancelled": self.is_cancelled(),
            "folder": str(self.folder),
            "trouble": self.trouble(),
        }
        try:
            jobs = self.jobs()
        except SlurmError as error:
            words = [f"the queue cannot be asked: {str(error).splitlines()[0]}"]
            told = {"jobs": None, "under_way": None, "words": self._told(words, submitted)}
            return {**document, **told}
        states = Counter(job.state.lower() for job in jobs)
        words = [self._counted(jobs, submitted), *warnings_of(jobs)]
        return {
            **document,
            "jobs": dict(states),
            "under_way": any(job.is_alive for job in jobs),
            "words": self._told(words, submitted),
        }

    def summary(self) -> str:
        """Name what was submitted, in a few words."""
        pilots = _pilots_in(self.journal.read())
        numbers = ", ".join(self.journal.job_ids(self.name)) or "of an unknown number"
        return f"Slurm job {numbers} ({pilots} pilot{'s' * (pilots != 1)})"

    def _told(self, words: Sequence[str], submitted: Sequence[str]) -> list[str]:
        told = list(words)
        if not submitted:
            told.append("no job of it is known to have been accepted")
        if self.is_cancelled():
            told.append("it was cancelled")
        if trouble := self.trouble():
            told.append(f"a job could not begin: {trouble}")
        notes = (entry.words for entry in self.journal.read() if entry.what == "note")
        return [*told, *filter(None, notes)]

    def _counted(self, jobs: Sequence[Job], submitted: Sequence[str]) -> str:
        alive = [job for job in jobs if job.is_alive]
        number = ", ".join(submitted) or "unknown"
        if not alive:
            return f"Slurm job {number}: no pilot waits or runs"
        states = Counter(job.state.lower() for job in alive)
        reasons = sorted({job.reason for job in alive if job.is_pending and job.reason != "None"})
        why = f" ({', '.join(reasons)})" if reasons else ""
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        return f"Slurm job {number}: {counts}{why}"


def _pilots_in(entries: Sequence[Entry]) -> int:
    """Count the pilots of the arrays that were accepted."""
    pilots = intended = 0
    for entry in entries:
        if entry.what == "intend":
            intended = entry.array or 0
        elif entry.what == "submitted":
            pilots, intended = pilots + intended, 0
    return pilots


def _environment() -> dict[str, str]:
    # Everything else that a job inherits it has from sbatch; this one a site may not pass on.
    path = os.environ.get("PYTHONPATH")
    return {} if path is None else {"PYTHONPATH": path}
