"""Stages: where one test of the contract launches experiments, and sees what becomes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from metalab.execution.choice import chosen_executor
from metalab.runner import load_results, run
from metalab.testing.executor_operations import (
    acting_experiment,
    measured_experiment,
    notes_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from metalab.execution.base import Executor
    from metalab.execution.handle import RunHandle
    from metalab.experiment import Experiment
    from metalab.results import Results, Run

__all__ = ["Stage", "values_of"]

_PAUSE = 0.01


def values_of(runs: Iterable[Run]) -> list[tuple[Any, ...]]:
    """Return all of runs of ``measured`` that must be the same wherever they are executed."""
    return [
        (
            run.run_id,
            run.status.value,
            run.params,
            run.seed,
            run.replicate,
            repr(run.metrics),  # where NaN equals NaN
            run.data("structure"),
            run.artifact("object"),
            run.series("series"),
        )
        for run in runs
    ]


@attrs.define(eq=False, kw_only=True)
class Stage:
    """An executor under test, and a folder that its workers see as well.

    ``options`` make such an executor by name, ``preamble`` does in a script. ``patience`` is
    how many seconds anything may take before it counts as hung.
    """

    executor: Executor
    folder: Path
    patience: float
    options: Mapping[str, Any]
    preamble: str
    _handles: list[RunHandle] = attrs.field(factory=list, init=False)
    _folders: set[Path] = attrs.field(factory=set, init=False)

    @property
    def store(self) -> str:
        """The root of the collection into which everything is launched."""
        return str(self.folder / "store")

    # Experiments.

    def acting(
        self, runs: int = 6, acts: Mapping[int, str] | None = None, name: str = "acting"
    ) -> Experiment:
        """Return an experiment whose runs note what they do and act as they are told."""
        self.notes(name).mkdir(parents=True, exist_ok=True)
        self._folders.add(self.notes(name))
        return acting_experiment(self.notes(name), runs, acts, name)

    def notes(self, name: str = "acting") -> Path:
        """The folder in which the runs of an experiment leave their notes."""
        return self.folder / "notes" / name

    def began(self, name: str = "acting") -> Counter[int]:
        """Count how often each run was begun."""
        return Counter(notes_in(self.notes(name), "began"))

    def ended(self, name: str = "acting") -> Counter[int]:
        """Count how often each run has come to its end."""
        return Counter(notes_in(self.notes(name), "ended"))

    def let_go(self, name: str = "acting") -> None:
        """Let the held runs of an experiment go on."""
        (self.notes(name) / "go").touch()

    def reference(self, experiment: Experiment | None = None) -> list[tuple[Any, ...]]:
        """Return what the runs of ``measured`` are when the inline executor executes them."""
        inline = chosen_executor("inline")
        asked = measured_experiment() if experiment is None else experiment
        handle = run(asked, self.folder / "reference", executor=inline, progress=False)
        return values_of(handle.result())

    # Launches.

    def launch(self, experiment: Experiment, **options: Any) -> RunHandle:
        """Launch an experiment on the executor under test."""
        handle = run(experiment, self.store, executor=self.executor, progress=False, **options)
        self._handles.append(handle)
        return handle

    def results(self, experiment: Experiment, **options: Any) -> Results:
        """Launch an experiment and wait for its results."""
        return self.results_of(self.launch(experiment, **options))

    def results_of(self, handle: RunHandle) -> Results:
        """Wait for the results of a launch."""
        return handle.result(self.patience)

    def stored(self, name: str = "acting") -> Results:
        """Read what is stored of an experiment by now."""
        return load_results(self.store, f"{name}:1")

    def openings(self) -> list[dict[str, Any]]:
        """Return how each writer that opened a segment of the store introduced itself."""
        found = []
        for path in sorted((self.folder / "store").rglob("runs/*.jsonl")):
            with path.open("rb") as file:
                first = file.readline()
            if first.endswith(b"\n"):
                found.append(json.loads(first))
        return [line for line in found if line.get("t") == "open"]

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds; ``what`` says which one for people."""
        deadline = time.monotonic() + self.patience
        while not condition():
            assert time.monotonic() < deadline, f"not within {self.patience:g} s: {what}"
            time.sleep(_PAUSE)

    # Other processes.

    def start(self, text: str, *arguments: object, **environment: str) -> subprocess.Popen[bytes]:
        """Start a script in the stage's folder; where it says PREAMBLE it binds ``executor``.

        It prints into files, which do not keep whoever reads them waiting for its children.
        """
        file = self.folder / "script.py"
        file.write_text(textwrap.dedent(text).replace("PREAMBLE", self._preamble()))
        with self._said("out").open("wb") as out, self._said("err").open("wb") as err:
            return subprocess.Popen(  # noqa: S603  this Python, and a script of the contract's own
                [sys.executable, str(file), *map(str, arguments)],
                cwd=self.folder,
                env={**os.environ, **environment},
                stdout=out,
                stderr=err,
            )

    def output_of(self, process: subprocess.Popen[bytes]) -> str:
        """Wait for a script and return what it printed; it has to succeed."""
        try:
            process.wait(self.patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the script hangs; it said: {self.errors()}") from None
        assert process.returncode == 0, f"the script failed: {self.errors()}"
        return self._said("out").read_text()

    def errors(self) -> str:
        """Return what the last script said of errors so far."""
        return self._said("err").read_text()

    def _said(self, stream: str) -> Path:
        return self.folder / f"script.{stream}"

    def _preamble(self) -> str:
        own = textwrap.dedent(self.preamble).strip()
        own = own or f"executor = {{{self.executor.name!r}: {dict(self.options)!r}}}"
        return textwrap.indent(own, "    ").lstrip()

    def clear(self) -> None:
        """End what a test has left under way."""
        for folder in self._folders:
            (folder / "go").touch()
        for handle in self._handles:
            if not handle.is_complete:
                handle.cancel()
        for handle in self._handles:
            handle.wait(self.patience)
