"""A launch that goes on by itself is followed by the next, as long as it has anything to give."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

import detached_executor
import metalab

SECONDS = 60


@metalab.operation
def failing(context, params):
    if params["x"] in context.failing():
        raise ValueError("not yet")
    return {"y": params["x"]}


@metalab.context_spec
class Failing:
    """Which runs fail: those that a file names now."""

    path: str

    def failing(self):
        return [int(word) for word in Path(self.path).read_text().split()]


@pytest.fixture
def executor():
    with detached_executor.LoneExecutor() as made:
        yield made
    detached_executor.end_processes()


@pytest.fixture
def launch(tmp_path, executor):
    """Launch two runs, of which those fail that are named."""
    path = tmp_path / "failing"

    def launched(failing_runs, **options):
        path.write_text(failing_runs)
        experiment = metalab.Experiment(
            name="again",
            version="1",
            context=Failing(str(path)),
            operation=failing,
            params=metalab.grid(x=[0, 1]),
            seeds=metalab.seeds(base=1),
        )
        return metalab.run(
            experiment, tmp_path / "store", executor=executor, progress=False, **options
        )

    return launched


def test_what_a_launch_gave_up_is_executed_anew_though_its_process_is_still_there(tmp_path, launch):
    first = launch("1")
    assert [run.status.value for run in first.result(SECONDS)] == ["success", "failed"]
    (lock,) = tmp_path.glob("store/again*/launches/*/lone/lock")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # once it has ended, as if it had not
        second = launch("")
        assert [run.status.value for run in second.result(SECONDS)] == ["success", "success"]
    assert second.job_id != first.job_id


def halved(run):
    return run.params["x"] / 2


def test_a_metric_of_which_a_launch_knows_nothing_is_derived_though_its_process_is_still_there(
    tmp_path, launch
):
    first = launch("")
    first.result(SECONDS)
    (lock,) = tmp_path.glob("store/again*/launches/*/lone/lock")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        second = launch("", derived_metrics=[halved])
        results = second.result(SECONDS)
        assert second.job_id != first.job_id
        assert [run.derived for run in results] == [{"halved": 0.0}, {"halved": 0.5}]
        assert [len(run.attempts()) for run in results] == [1, 1]
