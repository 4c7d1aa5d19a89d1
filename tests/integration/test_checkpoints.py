"""A run that checkpoints goes on where it was: after errors, kills, time limits and Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import metalab
from metalab.execution.ledger import Ledger
from metalab.store import FileStore
from metalab.store.file.checkpoints import FileCheckpoints
from process_tools import SECONDS, experiment, note, results_of, said_by, start_script, wait_until

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="which processes there are is told by /proc"
)


@pytest.fixture(scope="module")
def executor():
    with metalab.ProcessExecutor(2) as made:
        yield made


def steps(folder):
    """Return the steps that were done, in the order in which they were."""
    path = Path(folder, "journal")
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def kept(folder, name="deaths_1"):
    path = Path(folder, "store", name, "checkpoints")
    return sorted(each.name for each in path.rglob("*")) if path.exists() else []


def count_up(context, runtime, capture, last, after=None):
    """Do steps up to ``last``, each on record before the next, and ``after`` each what it says."""
    step = runtime.restore() or 0
    capture.metric("from", step)
    while step < last:
        runtime.check_cancelled()
        note(context, step)
        step += 1
        runtime.checkpoint(step)
        if after is not None:
            after(step)
    capture.metric("steps", step)


def failing_once(context, at):
    """Return what fails after that step, the first time."""
    mark = Path(f"{context['journal']}.failed")

    def fail(step):
        if step == at and not mark.exists():
            mark.touch()
            raise OSError("once")

    return fail


class TestFailures:
    def test_a_run_that_fails_twice_goes_on_twice_and_leaves_nothing(self, tmp_path):
        @metalab.operation
        def failing(context, runtime, capture):
            def fail(step):
                if step in {3, 6}:
                    raise OSError("again")

            count_up(context, runtime, capture, 9, fail)

        exp = experiment(tmp_path, failing, 1)
        (run,) = results_of(tmp_path, exp, "thread", retry=3)
        assert run.status == "success"
        assert run.metrics == {"from": 6, "steps": 9}
        assert [record.metrics["from"] for record in run.attempts()] == [0, 3, 6]
        assert steps(tmp_path) == list(range(9))
        assert kept(tmp_path) == []

    def test_a_run_that_failed_for_good_goes_on_in_the_next_launch(self, tmp_path):
        @metalab.operation
        def failing(context, runtime, capture):
            count_up(context, runtime, capture, 4, failing_once(context, 2))

        exp = experiment(tmp_path, failing, 1)
        (run,) = results_of(tmp_path, exp, "inline")
        assert run.status == "failed"
        assert kept(tmp_path) == sorted(["0.1.1", "0.1.2", run.run_id])
        (run,) = results_of(tmp_path, exp, "inline")
        assert run.metrics == {"from": 2, "steps": 4}
        assert kept(tmp_path) == []

    def test_what_is_executed_anew_begins_from_nothing(self, tmp_path):
        @metalab.operation
        def failing(context, runtime, capture):
            capture.metric("from", runtime.restore() or 0)
            runtime.checkpoint(5)
            raise ValueError("no")

        exp = experiment(tmp_path, failing, 1)
        for expected, options in [(0, {}), (5, {}), (0, {"resume": False}), (5, {})]:
            (run,) = results_of(tmp_path, exp, "inline", **options)
            assert run.metrics == {"from": expected}
        store = FileStore(tmp_path / "store").scoped("deaths:1")
        store.delete_run(run.run_id)
        assert kept(tmp_path) == []
        (run,) = results_of(tmp_path, exp, "inline")
        assert run.metrics == {"from": 0}

    def test_a_damaged_one_is_told_in_the_record(self, tmp_path):
        @metalab.operation
        def failing(context, runtime, capture):
            count_up(context, runtime, capture, 4, failing_once(context, 2))

        exp = experiment(tmp_path, failing, 1)
        results_of(tmp_path, exp, "inline")
        (path,) = (tmp_path / "store").glob("*/checkpoints/*/0.1.2")
        path.write_bytes(path.read_bytes()[:-1])
        (run,) = results_of(tmp_path, exp, "inline")
        assert run.metrics == {"from": 1, "steps": 4}
        (warning,) = run.record.warnings
        assert "0.1.2 is damaged" in warning

    def test_those_of_runs_side_by_side_do_not_mix(self, tmp_path):
        @metalab.operation
        def failing(params, runtime, capture):
            state = runtime.restore()
            capture.metric("x", -1 if state is None else state["x"])
            runtime.checkpoint({"x": params["x"]})
            if state is None:
                raise ValueError("once")

        exp = experiment(tmp_path, failing, 20)
        results = results_of(tmp_path, exp, metalab.ThreadExecutor(4), retry=2)
        assert [run.metrics["x"] for run in results] == list(range(20))
        assert kept(tmp_path) == []

    def test_it_works_in_a_pool_of_processes(self, tmp_path):
        script = """
            import sys
            from concurrent.futures import ProcessPoolExecutor

            import metalab

            @metalab.operation
            def failing(params, runtime, capture):
                state = runtime.restore()
                runtime.checkpoint(params["x"])
                if state is None:
                    raise ValueError("once")
                capture.metric("x", state)

            if __name__ == "__main__":
                exp = metalab.Experiment(name="pooled", version="1", context={}, operation=failing,
                    params=metalab.grid(x=[0, 1, 2, 3]), seeds=metalab.seeds(1))
                with ProcessPoolExecutor(2) as pool:
                    executor = metalab.FuturesExecutor(pool)
                    handle = metalab.run(exp, "store", executor, retry=2, progress=False)
                    print(*[int(run.metrics["x"]) for run in handle.result(50)])
            """
        assert said_by(tmp_path, script) == ["0 1 2 3"]
        assert kept(tmp_path, "pooled_1") == []


class TestLimits:
    def test_a_run_that_needs_three_attempts_never_loses_progress(self, tmp_path, executor):
        @metalab.operation
        def long(context, runtime, capture):
            def hang(step):
                if step in {4, 8}:
                    time.sleep(100)

            count_up(context, runtime, capture, 12, hang)

        exp = experiment(tmp_path, long, 1)
        (run,) = results_of(tmp_path, exp, executor, timeout=4, retry=3)
        assert run.status == "success"
        assert run.metrics == {"from": 8, "steps": 12}
        assert steps(tmp_path) == list(range(12))
        kinds = [record.error["type"] for record in run.attempts() if record.error]
        assert kinds == ["RunTimeoutError"] * 2
        assert kept(tmp_path) == []

    def test_a_run_whose_worker_is_killed_goes_on(self, tmp_path, executor):
        @metalab.operation
        def deadly(context, runtime, capture):
            def die(step):
                if step in {3, 6}:
                    os.kill(os.getpid(), signal.SIGKILL)

            count_up(context, runtime, capture, 9, die)

        exp = experiment(tmp_path, deadly, 1)
        (run,) = results_of(tmp_path, exp, executor)
        assert run.status == "success"
        assert run.metrics == {"from": 6, "steps": 9}
        assert steps(tmp_path) == list(range(9))
        assert kept(tmp_path) == []

    def test_workers_are_told_when_their_place_ends(self, tmp_path, executor, monkeypatch):
        @metalab.operation
        def patient(params, runtime, capture):
            capture.metric("left", runtime.remaining())
            while not runtime.should_stop:
                time.sleep(0.01)
            runtime.check_cancelled()

        submit = metalab.ProcessExecutor.submit
        until = time.monotonic() + 5

        def submit_until(self, batch):
            import attrs

            return submit(self, attrs.evolve(batch, until=until))

        monkeypatch.setattr(metalab.ProcessExecutor, "submit", submit_until)
        exp = experiment(tmp_path, patient, 2)
        for run in results_of(tmp_path, exp, executor, timeout=60):
            assert run.status == "cancelled"
            assert 0 < run.metrics["left"] <= 5
            assert "the time of the place" in run.error["message"]


INTERRUPTED = """
    import sys, time
    from pathlib import Path

    import metalab

    @metalab.operation
    def patient(params, runtime, capture):
        step = runtime.restore() or 0
        capture.metric("from", step)
        while step < 6:
            step += 1
            with Path("journal").open("a") as file:
                file.write(f"{step}\\n")
            runtime.checkpoint(step)
            while step == 3 and not Path("gate").exists():
                runtime.check_cancelled()
                time.sleep(0.01)
        capture.metric("steps", step)

    exp = metalab.Experiment(name="patient", version="1", context={}, operation=patient,
        params=metalab.grid(x=[0]), seeds=metalab.seeds(1))
    handle = metalab.run(exp, "store", executor=sys.argv[1], progress=False)
    print(*[dict(run.metrics) for run in handle.result(50)])
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("name", ["inline", "thread", "process"])
def test_after_an_interrupt_or_a_kill_a_new_launch_goes_on(tmp_path, name, how):
    process = start_script(tmp_path, INTERRUPTED, name)
    try:
        wait_until(lambda: "0.1.3" in kept(tmp_path, "patient_1"))
        process.send_signal(how)
        process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    (tmp_path / "gate").touch()
    (line,) = said_by(tmp_path, INTERRUPTED, name)
    assert line == "{'from': 3, 'steps': 6}"
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert kept(tmp_path, "patient_1") == []


@pytest.mark.parametrize("name", ["thread", "process", "pool"])
def test_after_cancel_a_new_launch_goes_on(tmp_path, name):
    @metalab.operation
    def patient(context, params, runtime, capture):
        def wait(step):
            while step == 3 and not Path(f"{context['journal']}.gate").exists():
                runtime.check_cancelled()
                time.sleep(0.01)

        count_up(context, runtime, capture, 6, wait)

    with ThreadPoolExecutor(2) as pool:
        chosen = metalab.FuturesExecutor(pool) if name == "pool" else name
        exp = experiment(tmp_path, patient, 1)
        handle = metalab.run(exp, tmp_path / "store", executor=chosen, progress=False)
        wait_until(lambda: "0.1.3" in kept(tmp_path))
        handle.cancel()
        assert handle.wait(SECONDS)
        Path(f"{tmp_path}/journal.gate").touch()
        (run,) = results_of(tmp_path, exp, chosen)
    assert run.metrics == {"from": 3, "steps": 6}
    assert Counter(steps(tmp_path)) == Counter(range(6))
    assert kept(tmp_path) == []


def test_they_are_removed_once_the_success_is_durable_and_not_before(tmp_path, monkeypatch):
    seen = []
    acknowledgement = Ledger.acknowledgement
    done = FileCheckpoints.clear

    def clear(self):
        log = FileStore(tmp_path / "store").scoped("deaths:1").read()
        seen.append([str(log.state(run_id).status) for run_id in log])
        done(self)

    def acknowledged(self, record):
        inner = acknowledgement(self, record)

        def then():
            seen.append(kept(tmp_path))
            inner()

        return then

    monkeypatch.setattr(FileCheckpoints, "clear", clear)
    monkeypatch.setattr(Ledger, "acknowledgement", acknowledged)

    @metalab.operation
    def plain(runtime):
        runtime.checkpoint(1)

    results_of(tmp_path, experiment(tmp_path, plain, 1), "thread")
    assert seen == [["success"], []]


def test_a_run_that_keeps_none_asks_the_store_for_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("nobody has asked for checkpoints")

    monkeypatch.setattr(FileStore, "checkpoints", refuse)
    monkeypatch.setattr(FileStore, "has_checkpoint", refuse)

    @metalab.operation
    def plain(runtime, capture):
        capture.metric("left", runtime.remaining())

    (run,) = results_of(tmp_path, experiment(tmp_path, plain, 1), "inline")
    assert run.status == "success"
    assert kept(tmp_path) == []
