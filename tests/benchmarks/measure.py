"""Measuring: each phase in fresh processes, floor and system taking turns; one sample is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import attrs

from benchmarks.cost import CPU, Cost, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Bench", "Phase", "PhaseError"]

_FEW = 10
_SCRIPTS = Path(__file__).resolve().parent / "scripts"
_TESTS = Path(__file__).resolve().parent.parent


class PhaseError(Exception):
    """A phase ended with an error; the text is what it said last."""


@attrs.frozen
class Phase:
    """A function that prepares a piece of work; ``after`` is the phase whose folder it reads.

    Each of its runs computes for so many ``seconds``.
    """

    name: str
    after: Phase | None = None
    seconds: float = 0.0


@attrs.define
class Bench:
    """Runs phases below one folder and keeps what they leave: deleting it would slow the next.

    Compiled modules are kept there, too: everybody's are compiled before anything counts,
    and the repository stays as it was.
    """

    folder: Path
    _folders: dict[tuple[str, int], Path] = attrs.Factory(dict)
    _warm: set[str] = attrs.Factory(set)

    def take_turns(
        self, phases: Sequence[Phase], runs: int, repetitions: int, gauge: Gauge = CPU
    ) -> list[Cost | PhaseError]:
        """Measure phases in turns, so that a slow minute of the machine falls on all of them."""
        samples: list[list[Cost]] = [[] for _ in phases]
        errors: dict[int, PhaseError] = {}
        for _ in range(repetitions):
            for place, phase in enumerate(phases):
                if place in errors:
                    continue
                try:
                    self._warm_up(phase)
                    samples[place].append(self._sample(phase, runs))
                except PhaseError as error:
                    errors[place] = error
        return [errors.get(place) or gauge.of(taken) for place, taken in enumerate(samples)]

    def import_ms(self, statements: Sequence[str], repetitions: int) -> list[float | PhaseError]:
        """Return the least CPU milliseconds of a whole process for each statement, in turns."""
        calls = [partial(self._cpu_ms, statement) for statement in statements]
        return _least(calls, repetitions)

    def script_ms(self, names: Sequence[str], repetitions: int) -> list[float | PhaseError]:
        """Return the least milliseconds from a script's start to its end, in turns."""
        return _least([partial(self._wall_ms, name) for name in names], repetitions)

    def folder_of(self, phase: Phase, runs: int) -> Path:
        """Return the folder of a phase's first sample; raises PhaseError if there can be none."""
        if (phase.name, runs) not in self._folders:
            self._sample(phase, runs)
        return self._folders[phase.name, runs]

    def _warm_up(self, phase: Phase) -> None:
        if phase.name not in self._warm:
            self._warm.add(phase.name)
            self._sample(attrs.evolve(phase, seconds=0.0), _FEW)

    def _sample(self, phase: Phase, runs: int) -> Cost:
        folder = self._folder(phase, runs)
        call = ["-m", "benchmarks.child", phase.name, str(runs), str(folder), str(phase.seconds)]
        said = self._call(phase.name, *call)
        self._folders.setdefault((phase.name, runs), folder)
        figures = json.loads(said.splitlines()[-1])
        files, taken = _left_in(folder)
        return Cost(
            1e6 * figures["cpu"] / runs,
            1e6 * figures["wall"] / runs,
            figures["before_mb"],
            figures["peak_mb"],
            files / runs,
            taken / runs,
        )

    def _cpu_ms(self, statement: str) -> float:
        process = subprocess.Popen(
            [sys.executable, "-c", statement], stderr=subprocess.DEVNULL, env=self._environment()
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise PhaseError(f"`{statement}` exits with {process.returncode}")
        return 1000 * (usage.ru_utime + usage.ru_stime)

    def _wall_ms(self, script: str) -> float:
        folder = mkdtemp(prefix=f"{script}-", dir=self.folder)
        begun = time.perf_counter()
        self._call(script, str(_SCRIPTS / f"{script}.py"), folder)
        return 1000 * (time.perf_counter() - begun)

    def _call(self, name: str, *arguments: str) -> str:
        """Return what an interpreter prints that is called so."""
        result = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment(),
        )
        if result.returncode != 0:
            said = (result.stderr or result.stdout).strip().splitlines() or ["nothing"]
            raise PhaseError(f"{name} exits with {result.returncode}: {said[-1]}")
        return result.stdout

    def _environment(self) -> dict[str, str]:
        paths = [str(_TESTS), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return environment | {"PYTHONPYCACHEPREFIX": str(self.folder / "compiled")}

    def _folder(self, phase: Phase, runs: int) -> Path:
        if phase.after is not None:
            return self.folder_of(phase.after, runs)
        prefix = f"{phase.name.replace(':', '-')}-{runs}-"
        return Path(mkdtemp(prefix=prefix, dir=self.folder)) / "work"


def _least(calls: Sequence[Callable[[], float]], repetitions: int) -> list[float | PhaseError]:
    taken: list[list[float]] = [[] for _ in calls]
    errors: dict[int, PhaseError] = {}
    for _ in range(repetitions + 1):  # the first one compiles
        for place, call in enumerate(calls):
            try:
                taken[place].append(call())
            except PhaseError as error:
                errors[place] = error
    return [errors.get(place) or min(figures) for place, figures in enumerate(taken)]


def _left_in(folder: Path) -> tuple[int, int]:
    sizes = [path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)
