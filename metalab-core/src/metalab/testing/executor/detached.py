"""Launches and the process that began them: which end with it, and which go on."""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from metalab.detached import DetachedLaunch
from metalab.runner import reconnect
from metalab.store import FileStore
from metalab.testing.asking import asked_if
from metalab.testing.executor.capabilities import Capabilities

if TYPE_CHECKING:
    import subprocess

    from metalab.testing.executor.stage import Stage

__all__ = ["DetachedContract"]

_RUNS = 6
_ACTS = dict.fromkeys(range(2, _RUNS), "hold")
_MARK = "METALAB_TESTED_BY"


class DetachedContract(Capabilities):
    """A launch goes on by itself where the executor says so, and else is finished by the next."""

    @asked_if(is_detached=False, is_installed=True)
    def test_a_launch_whose_process_is_killed_is_finished_by_the_next(self, stage: Stage) -> None:
        mark = uuid.uuid4().hex
        experiment = stage.acting(_RUNS, _ACTS)
        process = stage.start(LAUNCH, stage.store, stage.notes(), _RUNS, **{_MARK: mark})
        try:
            stage.until(
                lambda: stage.began().keys() & _ACTS.keys() or process.poll() is not None,
                "a run of the script has begun",
            )
            assert process.poll() is None, f"the script failed: {stage.errors()}"
            process.kill()
            process.wait()
            if self.owns_its_workers:
                stage.until(lambda: not _marked(mark), "its workers have ended with it")
            stage.let_go()
            results = stage.results(experiment)
        finally:
            _end(process, mark)
        assert [run.metrics.get("x") for run in results] == list(range(_RUNS)), "runs are missing"

    @asked_if(is_detached=True, is_installed=True)
    def test_a_launch_goes_on_when_its_process_ends(self, stage: Stage) -> None:
        stage.acting(_RUNS, _ACTS)
        leaving = f"{LAUNCH}    os._exit(0)\n"
        stage.output_of(stage.start(leaving, stage.store, stage.notes(), _RUNS))
        handle = reconnect(stage.store, progress=False)
        assert not handle.is_complete, "the launch was over before its runs were"
        stage.let_go()
        results = handle.result(stage.patience)
        assert [run.metrics.get("x") for run in results] == list(range(_RUNS)), "runs are missing"
        assert stage.began() == Counter(range(_RUNS)), "runs were not executed exactly once"

    @asked_if(is_detached=True, is_installed=True)
    def test_another_process_follows_it(self, stage: Stage) -> None:
        stage.launch(stage.acting(_RUNS, _ACTS))
        process = stage.start(FOLLOW, stage.store)
        stage.let_go()
        found = json.loads(stage.output_of(process))
        assert found == [*range(_RUNS)], "another process that follows the launch sees other runs"

    @asked_if(is_detached=True)
    def test_a_launch_under_way_is_followed_and_not_repeated(self, stage: Stage) -> None:
        experiment = stage.acting(_RUNS, _ACTS)
        first = stage.launch(experiment)
        stage.until(stage.began, "a run has begun")
        again = stage.launch(experiment)
        assert again.job_id == first.job_id, "a launch under way was submitted once more"
        assert not again.is_complete, "to whoever follows a launch under way it says: over"
        stage.let_go()
        for handle in (first, again):
            done = len(stage.results_of(handle).successful)
            assert done == _RUNS, f"a launch of {_RUNS} runs is over after {done}"
        assert stage.began() == Counter(range(_RUNS)), "runs were not executed exactly once"

    @asked_if(is_detached=True, is_installed=True)
    def test_one_that_did_not_begin_it_can_end_it(self, stage: Stage) -> None:
        handle = stage.launch(stage.acting(_RUNS, _ACTS))
        stage.until(stage.began, "a run has begun")
        assert self._launch(stage).cancel(stage.patience).is_over, (
            f"a launch that another process cancelled was not over {stage.patience:g} s later"
        )
        assert handle.wait(stage.patience), "whoever follows a launch is not told of its end"
        left = {run.status.value for run in stage.stored()}
        assert left <= {"success", "cancelled"}, f"cancelling has left runs as {left}"

    @asked_if(is_detached=True, is_installed=True)
    def test_it_knows_whether_a_launch_is_under_way(self, stage: Stage) -> None:
        handle = stage.launch(stage.acting(_RUNS, _ACTS))
        stage.until(stage.began, "a run has begun")
        launch = self._launch(stage)
        assert stage.executor.is_under_way(launch.dispatch) is not False, (
            "is_under_way() is False while runs are"
        )
        described = launch.describe()
        assert json.loads(json.dumps(described, allow_nan=False)) == described, (
            "describe() holds what JSON gives back as something else"
        )
        assert all(isinstance(line, str) for line in described["words"]), (
            "`words` of describe() are lines of text"
        )
        stage.let_go()
        stage.results_of(handle)
        stage.until(
            lambda: stage.executor.is_under_way(launch.dispatch) is not True,
            "is_under_way() is no longer True, since the launch is over",
        )

    @asked_if(is_detached=True, is_installed=True)
    def test_what_its_workers_print_is_found(self, stage: Stage) -> None:
        stage.results(stage.acting(2))
        missing = [path for path in self._launch(stage).outputs() if not path.is_file()]
        assert not missing, f"outputs() names {missing}, where there is no file"

    def _launch(self, stage: Stage) -> DetachedLaunch:
        """Look at the newest launch as a process does that knows the store alone."""
        found = DetachedLaunch.newest(FileStore(stage.store).scoped("acting:1"))
        if found.executor is None:
            pytest.fail(f"its name does not make it: {found.trouble}")
        return found


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End a script, and those that it has left."""
    process.kill()
    process.wait()
    for pid in _marked(mark):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _marked(mark: str) -> list[int]:
    """Return the processes that were begun, by whomever, with a mark in the environment."""
    if not sys.platform.startswith("linux"):
        return []  # elsewhere nobody can be asked
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{_MARK}={mark}".encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


LAUNCH = """
import os
import sys

import metalab
from metalab.testing.executor_operations import acting_experiment

if __name__ == "__main__":
    PREAMBLE
    store, folder, runs = sys.argv[1:]
    acts = dict.fromkeys(range(2, int(runs)), "hold")
    experiment = acting_experiment(folder, int(runs), acts)
    handle = metalab.run(experiment, store, executor=executor, progress=False)
"""
"""A script that launches; without more it waits for the launch, or leaves it to itself."""

FOLLOW = """
import json
import sys

import metalab

handle = metalab.reconnect(sys.argv[1], progress=False)
print(json.dumps([run.metrics["x"] for run in handle.result()]))
"""
"""A script that knows the store alone."""
