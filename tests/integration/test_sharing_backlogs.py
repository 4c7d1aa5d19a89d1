"""What a launch has claimed and cannot begin soon is for others who have nothing to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

import metalab
from metalab.execution.process import submission
from metalab.execution.process.host import has_processes

pytestmark = pytest.mark.skipif(not has_processes(), reason="worker processes need POSIX")
LIMIT = 60.0


@metalab.operation
def long_from_somewhere(params):
    """Be done at once, but for runs from ``cheap`` on: these wait until two processes are at it."""
    notes = noted(params)
    _wait(lambda: params["x"] < params["cheap"] or len(processes(notes, params["cheap"])) > 1)


@metalab.operation
def long_once(params):
    """Be done at once, but for one run, which waits until units have been given up."""
    segments = Path(params["notes"]).parent / "store"
    noted(params)
    _wait(lambda: params["x"] != params["cheap"] or has_released(segments))


@metalab.operation
def long_at_the_end(params):
    """Be done at once, but for one run, which takes longer than a launch is patient."""
    noted(params)
    time.sleep(1.6 if params["x"] == params["cheap"] else 0.0)


def _wait(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody else came")
        time.sleep(0.01)


def noted(params):
    notes = Path(params["notes"])
    (notes / f"{params['x']}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return notes


def executed(notes):
    return [tuple(map(int, path.name.split("-"))) for path in notes.iterdir()]


def processes(notes, first):
    return {pid for x, pid, _ in executed(notes) if x >= first}


def has_released(store):
    return any(b'"t":"release"' in path.read_bytes() for path in store.rglob("*.jsonl"))


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


def launch(notes, operation, *, runs=160, cheap=60, executor):
    experiment = metalab.Experiment(
        name="shared",
        version="1",
        context={},
        operation=operation,
        params=metalab.grid(x=list(range(runs)), notes=[str(notes)], cheap=[cheap]),
        seeds=metalab.seeds(base=1),
    )
    store = notes.parent / "store"
    return metalab.run(experiment, store, executor, progress=False, on_failure="stop")


@pytest.mark.parametrize("cheap", [1, 60], ids=["after one run", "after many runs"])
def test_another_launch_executes_what_waits_behind_a_run_that_takes_long(notes, cheap):
    with metalab.ProcessExecutor(1) as one, metalab.ProcessExecutor(1) as other:
        first = launch(notes, long_from_somewhere, cheap=cheap, executor=one)
        while not processes(notes, cheap):
            assert not first.wait(0.01)
        second = launch(notes, long_from_somewhere, cheap=cheap, executor=other)
        for handle in (first, second):
            assert len(handle.result(timeout=120).successful) == 160
    assert Counter(x for x, _, _ in executed(notes)) == Counter(range(160))


def test_what_nobody_else_wants_is_executed_by_the_launch_that_gave_it_up(notes):
    with metalab.ProcessExecutor(1) as executor:
        handle = launch(notes, long_once, runs=900, executor=executor)
        assert len(handle.result(timeout=120).successful) == 900
    assert Counter(x for x, _, _ in executed(notes)) == Counter(range(900))
    (plan,) = (notes.parent / "store").rglob("plan.json")
    claims = {path.name for path in plan.parent.iterdir()}
    assert {name for name in claims if name.endswith(".2")}


def test_a_launch_that_goes_on_after_its_script_gives_up_nothing_it_cannot_claim_again(notes):
    script = f"""if True:
        from pathlib import Path
        import metalab
        from integration.test_sharing_backlogs import launch, long_at_the_end
        launch(Path({str(notes)!r}), long_at_the_end, runs=200, executor="process")
    """
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert Counter(x for x, _, _ in executed(notes)) == Counter(range(200))


@metalab.operation
def now_and_then_long(params):
    """Be done at once, but for each fifth run."""
    noted(params)
    time.sleep(0.0 if params["x"] % 5 else 0.2)


def test_each_run_is_executed_once_while_several_launches_give_units_up(notes, monkeypatch):
    monkeypatch.setattr(submission, "_PATIENCE", 0.01)
    with ExitStack() as stack:
        executors = [stack.enter_context(metalab.ProcessExecutor(1)) for _ in range(3)]
        handles = [
            launch(notes, now_and_then_long, runs=200, executor=executor) for executor in executors
        ]
        for handle in handles:
            assert len(handle.result(timeout=120).successful) == 200
    assert Counter(x for x, _, _ in executed(notes)) == Counter(range(200))
    assert has_released(notes.parent / "store")
