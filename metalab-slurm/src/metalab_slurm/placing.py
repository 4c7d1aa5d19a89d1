"""Puts pilots into Slurm's queue: as many as it takes, none of them forgotten."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import attrs

from metalab_slurm.commands import SlurmCrowded, SlurmRefused, SlurmUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from metalab_slurm.cluster import Cluster
    from metalab_slurm.journal import Journal

__all__ = ["Placed", "place"]

_PAUSES = (1.0, 3.0, 9.0)


@attrs.frozen
class Placed:
    """What Slurm accepted: its arrays' numbers, how many pilots, and what to tell the user."""

    job_ids: tuple[str, ...]
    pilots: int
    words: str | None = None


def place(
    cluster: Cluster,
    journal: Journal,
    make_script: Callable[[int], str],
    folder: Path,
    name: str,
    pilots: int,
    pauses: Sequence[float] = _PAUSES,
) -> Placed:
    """Submit an array of ``pilots`` as ``name``, or of half as many until Slurm accepts it.

    ``make_script`` writes the script of an array of so many; it is kept in ``folder``. After an
    answer that never came, the queue is searched for the name before sbatch is tried again, once
    after each of ``pauses`` (seconds). Raises SlurmRefused with the script's path; SlurmCrowded
    if not even one pilot is accepted; SlurmUnavailable if Slurm does not answer in the end, and
    then the array may have been accepted.
    """
    (folder / "out").mkdir(parents=True, exist_ok=True)
    size, told = pilots, None
    while True:
        script = _write_script(folder, make_script(size))
        try:
            placed = _Attempt(cluster, journal, script, name, size).settle(pauses)
        except SlurmCrowded as crowded:
            journal.failed(name, str(crowded))
            if size == 1:
                raise SlurmCrowded(f"{crowded}\nSlurm does not accept a single job now") from None
            size //= 2
            told = str(crowded).strip().splitlines()[0]
        except SlurmRefused as refused:
            journal.failed(name, str(refused))
            raise SlurmRefused(f"{refused}\nThe script is {script}") from None
        else:
            return (
                placed if told is None else attrs.evolve(placed, words=_fewer(placed, pilots, told))
            )


def _fewer(placed: Placed, pilots: int, told: str) -> str:
    return (
        f"Slurm accepts {placed.pilots} of {pilots} jobs ({told}); they execute all runs, in "
        "more time"
    )


@attrs.frozen
class _Attempt:
    """One array on its way into the queue."""

    cluster: Cluster
    journal: Journal
    script: Path
    name: str
    size: int

    def settle(self, pauses: Sequence[float]) -> Placed:
        """Submit until Slurm says yes or no; SlurmUnavailable if it says neither."""
        known = set(self.journal.job_ids(self.name))
        waits = iter(pauses)
        ask: Callable[[], Placed | None] = self._submit
        while True:
            try:
                placed = ask()
            except SlurmUnavailable as silence:
                self.journal.failed(self.name, str(silence))
                pause = next(waits, None)
                if pause is None:
                    raise SlurmUnavailable(
                        f"{silence}\nWhether jobs named {self.name} are in the queue is not known"
                    ) from None
                time.sleep(pause)
                ask = lambda: self._found(known)  # noqa: E731  the next question
            else:
                if placed:
                    return placed
                ask = self._submit

    def _submit(self) -> Placed:
        self.journal.intend(self.name, self.size)
        job_id = self.cluster.submit(self.script)
        self.journal.submitted(self.name, job_id)
        return Placed((job_id,), self.size)

    def _found(self, known: set[str]) -> Placed | None:
        """Return what Slurm accepted without having said so, if anything."""
        jobs = [job for job in self.cluster.jobs([self.name]) if job.array_id not in known]
        found = sorted({job.array_id for job in jobs}, key=int)
        for job_id in found:
            self.journal.submitted(self.name, job_id)
        return Placed(tuple(found), len(jobs)) if found else None


def _write_script(folder: Path, text: str) -> Path:
    """Write a script beside those of earlier arrays, which keep their names."""
    number = 1
    while True:
        path = folder / ("script.sh" if number == 1 else f"script-{number}.sh")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            number += 1
        else:
            path.chmod(0o755)
            return path
