"""Several launchers of one experiment execute each of its runs once, whatever happens to them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

import metalab
from metalab.records import Status
from metalab.store.base import RunWriter
from metalab.store.document import record_of

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="who died is told by /proc, which is Linux's"
)
_LAUNCHER = Path(__file__).with_name("sharing_launcher.py")


@contextmanager
def launchers(folder, count, runs, seconds, *, held=None):
    """Start launchers; none of them ends the runs from ``held`` on before it is let."""
    numbers = [runs, seconds, *([] if held is None else [held])]
    command = [sys.executable, _LAUNCHER, folder / "store", *map(str, numbers)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def executed(folder):
    path = folder / "executed"
    lines = path.read_text().splitlines() if path.exists() else []
    return [tuple(map(int, line.split())) for line in lines]


def let_go(folder):
    """Let the runs end that are held."""
    (folder / "go").touch()


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def experiment(operation, runs, **fields):
    return metalab.Experiment(
        **{
            "name": "shared",
            "version": "1",
            "context": {},
            "operation": operation,
            "params": metalab.grid(x=list(range(runs))),
            "seeds": metalab.seeds(base=1),
            **fields,
        }
    )


@metalab.operation
def shared(params, capture):
    capture.metric("y", 2 * params["x"])


def launch(exp, store, **options):
    return metalab.run(exp, store, progress=False, **options)


class TestTogether:
    def test_two_launchers_execute_each_run_once_and_both_return_all_results(self, tmp_path):
        with launchers(tmp_path, 2, runs=60, seconds=0.02) as started:
            said = [process.communicate(timeout=60) for process in started]
        assert [process.returncode for process in started] == [0, 0], said
        counts = Counter(x for _, x in executed(tmp_path))
        assert counts == Counter(range(60))
        for out, _ in said:
            results, completed, skipped = map(int, out.split())
            assert (results, completed + skipped) == (60, 60)

    def test_threads_of_one_process_share_as_well(self, tmp_path):
        handles = [launch(experiment(shared, 30), tmp_path) for _ in range(3)]
        for handle in handles:
            assert len(handle.result(timeout=60)) == 30
        log = metalab.FileStore(tmp_path).scoped("shared:1").read()
        assert [len(log.attempts(run_id)) for run_id in log] == [1] * 30

    def test_another_s_runs_are_told_as_they_end_and_count_as_completed(self, tmp_path):
        gate, ended = threading.Event(), []

        @metalab.operation
        def gated(params, capture):
            gate.wait(20)
            capture.metric("y", params["x"])

        first = launch(experiment(gated, 4), tmp_path)
        second = launch(experiment(gated, 4), tmp_path, on_event=ended.append)
        gate.set()
        assert len(second.result(timeout=60)) == 4
        assert len(first.result(timeout=60)) == 4
        finished = [event.run_id for event in ended if event.kind == "run_finished"]
        assert len(finished) == len(set(finished)) == 4
        assert second.status.completed == 4

    def test_another_s_runs_are_told_while_a_long_one_of_its_own_goes_on(self, tmp_path):
        gate, first_began = threading.Event(), threading.Event()

        @metalab.operation
        def first_is_long(params, capture):
            if params["x"] == 0:
                first_began.set()
                gate.wait(30)

        first = launch(experiment(first_is_long, 4), tmp_path)
        first_began.wait(20)
        second = launch(experiment(first_is_long, 4), tmp_path)
        wait_until(lambda: first.status.completed == 3)
        assert first.status.running == 1
        gate.set()
        assert len(first.result(timeout=60)) == len(second.result(timeout=60)) == 4

    def test_a_run_that_failed_in_another_launch_meanwhile_is_not_tried_again(self, tmp_path):
        calls, gate = [], threading.Event()

        @metalab.operation
        def failing(params):
            gate.wait(20)
            calls.append(params["x"])
            raise ValueError("no")

        handles = [launch(experiment(failing, 6), tmp_path) for _ in range(2)]
        gate.set()
        for handle in handles:
            handle.wait(60)
            assert handle.status.failed == 6
        assert sorted(calls) == list(range(6))
        # A later launch does try again.
        launch(experiment(failing, 6), tmp_path).wait(60)
        assert sorted(calls) == sorted([*range(6), *range(6)])

    def test_plans_that_overlap_accept_one_record_of_each_run(self, tmp_path):
        plans = [experiment(shared, runs) for runs in (20, 30, 40)]
        handles = [launch(exp, tmp_path) for exp in plans]
        assert [len(handle.result(timeout=60)) for handle in handles] == [20, 30, 40]
        log = metalab.FileStore(tmp_path).scoped("shared:1").read()
        assert len(log) == 40
        assert {record_of(line).status for line in log.lines()} == {Status.SUCCESS}

    def test_derived_metrics_are_computed_for_the_other_s_runs(self, tmp_path):
        gate = threading.Event()

        @metalab.operation
        def gated(params, capture):
            gate.wait(20)
            capture.metric("y", params["x"])

        first = launch(experiment(gated, 4), tmp_path)
        second = launch(experiment(gated, 4), tmp_path, derived_metrics=[twice])
        gate.set()
        results = second.result(timeout=60)
        first.wait(60)
        assert [run.derived["twice"] for run in results] == [0, 2, 4, 6]

    def test_cancelled_runs_are_executed_by_the_other_launch(self, tmp_path):
        gate = threading.Event()

        @metalab.operation
        def slow(params, capture, runtime):
            while not gate.is_set():
                runtime.check_cancelled()
                time.sleep(0.005)
            capture.metric("y", params["x"])

        first = launch(experiment(slow, 5), tmp_path)
        wait_until(lambda: first.status.running)
        second = launch(experiment(slow, 5), tmp_path)
        wait_until(lambda: second.status.running)
        first.cancel()
        first.wait(60)
        gate.set()
        assert [run.status for run in second.result(timeout=60)] == ["success"] * 5

    def test_waiting_for_another_can_be_cancelled(self, tmp_path):
        gate = threading.Event()

        @metalab.operation
        def gated(params):
            gate.wait(60)

        first = launch(experiment(gated, 1), tmp_path)
        wait_until(lambda: first.status.running)
        second = launch(experiment(gated, 1), tmp_path)
        assert not second.wait(0.3)
        second.cancel()
        assert second.wait(30)
        gate.set()
        assert first.result(timeout=60)[0].status == "success"


def twice(run):
    return {"twice": 2 * run.metrics["y"]}


def status(store):
    said = subprocess.run(
        [sys.executable, "-m", "metalab", "status", store, "--json"],
        capture_output=True,
        check=True,
    )
    return json.loads(said.stdout)


class TestDeath:
    def test_what_a_killed_launcher_left_is_executed_by_the_other(self, tmp_path):
        with launchers(tmp_path, 2, runs=40, seconds=0, held=0) as started:
            wait_until(lambda: len({pid for pid, _ in executed(tmp_path)}) == 2)
            started[0].kill()
            let_go(tmp_path)
            out, err = started[1].communicate(timeout=60)
        assert started[1].returncode == 0, err
        assert out.split()[0] == "40"
        counts = Counter(x for _, x in executed(tmp_path))
        assert set(counts) == set(range(40))
        # It had two threads, so at most two runs were begun in vain.
        assert sum(counts.values()) <= 42

    def test_a_stopped_launcher_is_not_taken_for_dead(self, tmp_path):
        with launchers(tmp_path, 2, runs=20, seconds=0, held=0) as started:
            wait_until(lambda: len({pid for pid, _ in executed(tmp_path)}) == 2)
            started[0].send_signal(signal.SIGSTOP)
            let_go(tmp_path)
            try:
                with pytest.raises(subprocess.TimeoutExpired):
                    started[1].wait(timeout=4)
            finally:
                started[0].send_signal(signal.SIGCONT)
            for process in started:
                assert process.wait(timeout=60) == 0
        assert Counter(x for _, x in executed(tmp_path)) == Counter(range(20))

    def test_a_run_under_way_when_its_launcher_died_is_recorded_as_lost(self, tmp_path):
        with launchers(tmp_path, 1, runs=2, seconds=30) as (process,):
            store = metalab.FileStore(tmp_path / "store").scoped("shared:1")
            wait_until(lambda: len(store.read()) == 2)  # both are shown as running
            process.kill()
            process.wait()
        (found,) = status(tmp_path / "store")
        assert (found["running"], [each["cause"] for each in found["lost"]]) == ([], ["killed"] * 2)
        handle = launch(experiment(shared, 2), tmp_path / "store", on_code_change="keep")
        assert [run.status for run in handle.result(timeout=60)] == ["success"] * 2
        log = store.read()
        for run_id in log:
            (loss,) = log.losses(run_id)
            assert (loss.epoch, loss.attempt, loss.cause) == (0, 1, "killed")
            assert log.state(run_id).attempt == 2

    def test_a_run_that_kills_each_launcher_is_found_and_fails_in_the_end(self, tmp_path):
        code = (
            "import metalab, os, sys\n"
            "@metalab.operation\n"
            "def deadly(params, capture):\n"
            "    if params['x'] == 1:\n"
            "        os._exit(11)\n"
            "    capture.metric('y', 1)\n"
            "exp = metalab.Experiment(name='deadly', version='1', context={}, operation=deadly,\n"
            "    params=metalab.grid(x=[0, 1, 2]), seeds=metalab.seeds(1))\n"
            "# What runs for most of an interval is on record, and this is to run for less.\n"
            "store = metalab.FileStoreConfig(sys.argv[1], commit_interval=60).connect()\n"
            "results = metalab.run(exp, store, progress=False).result()\n"
            "print(*[run.status for run in results])\n"
        )
        script = tmp_path / "deadly.py"
        script.write_text(code)
        done = []
        for _ in range(6):
            process = subprocess.run(
                [sys.executable, script, tmp_path / "store"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            done.append(process.returncode)
            if process.returncode == 0:
                break
        # The first death leaves no trace but its claim; the next ones are on record before.
        assert done == [11, 11, 11, 11, 0], process.stderr
        assert process.stdout.strip() == "success failed success"
        (failed,) = metalab.load_results(tmp_path / "store").failed
        assert failed.error["type"] == "WorkerDiedError"
        assert "it was lost 3 times in a row (its process died, 3 times)" in failed.error["message"]

    def test_what_died_with_its_launcher_is_on_record_before_it_is_tried_again(
        self, tmp_path, monkeypatch
    ):
        with launchers(tmp_path, 1, runs=3, seconds=30) as (process,):
            wait_until(lambda: executed(tmp_path))
            process.kill()
            process.wait()
        careful = []
        put = metalab.store.file.writer.FileWriter.start

        def start(self, run_id, record, **how):
            careful.append(how.get("careful"))
            put(self, run_id, record, **how)

        monkeypatch.setattr(metalab.store.file.writer.FileWriter, "start", start)
        launch(experiment(shared, 3), tmp_path / "store", on_code_change="keep").wait(60)
        assert True in careful
        assert issubclass(metalab.store.file.writer.FileWriter, RunWriter)


class TestRace:
    @pytest.mark.parametrize(
        "seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))]
    )
    def test_launchers_that_are_killed_and_stopped_at_random_waste_next_to_nothing(
        self, tmp_path, seed
    ):
        """Of 16 that race for 1,000 runs, 8 are killed or stopped for a while."""
        chance = random.Random(seed)
        runs, killed = 1000, 0
        # The last runs are held, so that no launcher has ended before its turn to be killed.
        with launchers(tmp_path, 16, runs, 0.05, held=runs - 40) as started:
            wait_until(lambda: executed(tmp_path))
            survivors = list(started)
            while len(survivors) > 8:
                time.sleep(chance.uniform(0.05, 0.3))
                victim = survivors.pop(chance.randrange(len(survivors)))
                if chance.random() < 0.5:
                    victim.kill()
                    killed += 1
                else:
                    victim.send_signal(signal.SIGSTOP)
                    threading.Timer(chance.uniform(0.1, 1), _continue, [victim]).start()
            let_go(tmp_path)
            said = [process.communicate(timeout=120) for process in started]
        ended = [process.returncode for process in started]
        assert ended.count(-signal.SIGKILL) == killed > 0
        assert ended.count(0) == 16 - killed, [err for _, err in said if err][:3]
        store = metalab.FileStore(tmp_path / "store").scoped("shared:1")
        log = store.read()
        assert len(log) == runs
        assert {record_of(line).status for line in log.lines()} == {Status.SUCCESS}
        wasted = sum(_successes(log, run_id) - 1 for run_id in log)
        assert wasted <= 0.005 * runs
        assert not log.damage


def _continue(process):
    process.send_signal(signal.SIGCONT)


def _successes(log, run_id):
    return sum(record_of(line).status is Status.SUCCESS for line in log.attempts(run_id))
