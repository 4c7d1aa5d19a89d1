"""Retry and on_failure: which failures are tried again, when, and what is kept of each attempt."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

import metalab
from metalab.errors import RunTimeoutError, WorkerDiedError
from process_tools import SECONDS, executed, experiment, note, results_of, start_script

EVERY = ["inline", "thread", "process"]


@pytest.fixture(scope="module")
def executors():
    with metalab.ProcessExecutor(2) as process, metalab.ThreadExecutor(2) as thread:
        yield {"inline": "inline", "thread": thread, "process": process}


@pytest.mark.parametrize("name", EVERY)
def test_exceptions_are_tried_again_if_they_are_among_those_agreed(tmp_path, executors, name):
    @metalab.operation
    def unsteady(context, params, capture):
        note(context, params["x"])
        tries = executed(Path(context["journal"]).parent)[str(params["x"])]
        if params["x"] == 1 and tries < 3:
            raise ConnectionError(f"not at try {tries}")
        if params["x"] == 2:
            raise ValueError("never")
        if params["x"] == 3:
            raise OSError("always")
        capture.metric("y", tries)

    events = []
    retry = metalab.Retry(3, on=OSError, backoff=0.05)
    exp = experiment(tmp_path, unsteady, 5)
    begun = time.monotonic()
    results = results_of(tmp_path, exp, executors[name], retry=retry, on_event=events.append)
    assert time.monotonic() - begun >= 0.15
    assert executed(tmp_path) == {"0": 1, "1": 3, "2": 1, "3": 3, "4": 1}
    assert [run.metrics.get("y") for run in results] == [1, 3, None, None, 1]
    assert [len(run.attempts()) for run in results] == [1, 3, 1, 3, 1]
    messages = [record.error["message"] for record in results[1].attempts()[:2]]
    assert messages == ["not at try 1", "not at try 2"]
    kinds = [(event.kind, event.run_id) for event in events]
    assert kinds.count(("run_retried", results[1].run_id)) == 2
    assert kinds.count(("run_retried", results[3].run_id)) == 2
    assert kinds.count(("run_failed", results[3].run_id)) == 1
    assert sum(kind == "run_retried" for kind, _ in kinds) == 4
    assert sum(kind == "run_finished" for kind, _ in kinds) == 3


def test_timeouts_and_deaths_are_tried_again_as_what_they_are(tmp_path, executors):
    @metalab.operation
    def troubled(params):
        if params["what"] == "hangs":
            time.sleep(60)
        if params["what"] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)

    def attempts(what, **options):
        params = metalab.grid(what=[what])
        exp = experiment(tmp_path, troubled, params=params, name=f"{what}-{len(made)}")
        made.append(exp)
        (run,) = results_of(tmp_path, exp, executors["process"], **options)
        return [record.error["type"] for record in run.attempts()]

    made = []
    late, dead = metalab.Retry(2, on=RunTimeoutError), metalab.Retry(2, on=WorkerDiedError)
    for retry, times in ((late, 2), (dead, 1), (1, 1)):
        assert attempts("hangs", timeout=0.2, retry=retry) == ["RunTimeoutError"] * times
    for retry, times in ((late, 1), (dead, 2), (1, 1)):
        assert attempts("dies", timeout=30, retry=retry) == ["WorkerDiedError"] * times


def test_every_death_is_kept_as_an_attempt(tmp_path, executors):
    @metalab.operation
    def deadly(capture):
        capture.log("about to")
        os._exit(1)

    results = results_of(tmp_path, experiment(tmp_path, deadly, 1), executors["process"], retry=3)
    attempts = results[0].attempts()
    assert [record.attempt for record in attempts] == [1, 2, 3]
    for number, record in enumerate(attempts, 1):
        assert record.status.value == "failed"
        assert f"exited with status 1 (try {number} of 3)" in record.error["message"]
        assert "about to" in record.error["traceback"]
    assert len(results.store.read().losses(results[0].run_id)) == 2


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("on_failure", "most"), [("stop", 1), (3, 3)])
def test_a_launch_stops_after_so_many_failures_and_the_next_goes_on(
    tmp_path, executors, name, on_failure, most
):
    @metalab.operation
    def failing(context, params):
        note(context, params["x"])
        if not Path(context["journal"]).with_name("mended").exists():
            time.sleep(0.2)
            raise ValueError("not yet")

    exp = experiment(tmp_path, failing, 400)
    options = {"executor": executors[name], "progress": False, "on_failure": on_failure}
    handle = metalab.run(exp, tmp_path / "store", **options)
    failed = len(handle.result(SECONDS).failed)
    # Those under way beside the last one are finished; processes, which are told of it by
    # another one, have begun their next by then, or more where that one does not get to it.
    assert most <= failed <= (200 if name == "process" else most + 1)
    assert sum(executed(tmp_path).values()) == failed
    assert (handle.status.failed, handle.status.done) == (failed, 400)

    (tmp_path / "mended").touch()
    results = results_of(tmp_path, exp, executors[name])
    assert len(results.successful) == 400


def test_deaths_count_as_failures_at_which_a_launch_stops(tmp_path, executors):
    @metalab.operation
    def deadly(context, params):
        note(context, params["x"])
        if params["x"] == 40:
            os._exit(2)
        if params["x"] > 40 and not Path(context["journal"]).with_name("stopped").exists():
            time.sleep(0.1)

    exp = experiment(tmp_path, deadly, 1000)
    executor = executors["process"]
    results = results_of(tmp_path, exp, executor, on_failure="stop", retry=1)
    assert len(results.failed) == 1
    assert len(results) < 500
    assert sum(executed(tmp_path).values()) == len(results)
    (tmp_path / "stopped").touch()
    results = results_of(tmp_path, exp, executor, retry=1)
    assert (len(results.successful), len(results.failed)) == (999, 1)
    assert executed(tmp_path) == {str(x): 2 if x == 40 else 1 for x in range(1000)}


LAUNCH = """
import os, sys, time
import metalab
from process_tools import experiment, note
from pathlib import Path

@metalab.operation
def fatal(context, params):
    note(context, params["x"])
    if params["x"] == 1:
        os.kill(int(Path("parent").read_text()), 9)
        time.sleep(30)

Path("parent").write_text(str(os.getpid()))
exp = experiment(Path.cwd(), fatal, 4)
handle = metalab.run(exp, "store", {"process": {"max_workers": 1}}, progress=False)
results = handle.result(40)
print([(run.status.value, (run.error or {}).get("type")) for run in results])
"""


def test_a_run_that_kills_whole_launches_is_given_up_at_last(tmp_path):
    """The first death may leave no trace of its run; three that do are enough."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    for _ in range(5):
        process = start_script(tmp_path, LAUNCH, env=environment)
        out, err = process.communicate(timeout=SECONDS)
        if process.returncode != -signal.SIGKILL:
            break
    assert process.returncode == 0, err
    done = ("success", None)
    assert out.strip() == str([done, ("failed", "WorkerDiedError"), done, done])
    calls = executed(tmp_path)
    assert calls.pop("1") in {3, 4}
    assert calls == {"0": 1, "2": 1, "3": 1}
