"""timeout=: a run that takes longer than it may is ended, whatever it does, and no other is."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import metalab
from metalab.errors import MetalabError
from metalab.execution.process.host import DUMP
from process_tools import executed, experiment, is_there, note, results_of, wait_until

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="which processes there are is told by /proc"
)


@pytest.fixture(scope="module")
def executor():
    with metalab.ProcessExecutor(2) as made:
        yield made


def locks_twice():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def sleeps():
    time.sleep(100)


def computes_in_c():
    pow(3, 10**8)


def matches_for_ever():
    re.match(r"(a+)+$", "a" * 64 + "b")


def ignores_signals():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(0.01)


def raises_nothing():
    while True:
        try:
            time.sleep(100)
        except BaseException:  # noqa: BLE001  that is what this is about
            continue


HANGS = [locks_twice, sleeps, computes_in_c, matches_for_ever, ignores_signals, raises_nothing]


@pytest.mark.parametrize("hang", HANGS, ids=[hang.__name__ for hang in HANGS])
def test_a_run_that_hangs_is_ended_and_said_to_be_where_it_was(tmp_path, executor, hang):
    @metalab.operation
    def hanging(context, params, capture):
        note(context, params["x"])
        if params["x"] == 1:
            capture.log("about to hang")
            hang()
        capture.metric("y", params["x"])

    begun = time.monotonic()
    results = results_of(tmp_path, experiment(tmp_path, hanging), executor, timeout=0.3)
    assert time.monotonic() - begun < 20
    assert [run.metrics.get("y") for run in results] == [0, None, 2, 3, 4, 5]
    assert set(executed(tmp_path).values()) == {1}
    (failed,) = results.failed
    assert failed.error["type"] == "RunTimeoutError"
    assert "did not end within 0.3 s" in failed.error["message"]
    assert f"in {hang.__name__}" in failed.error["traceback"]
    assert "about to hang" in failed.error["traceback"]
    assert 300 <= failed.duration_ms < 15_000


def test_the_processes_that_a_run_has_started_end_with_it(tmp_path, executor):
    @metalab.operation
    def spawning(context, params):
        for _ in range(2):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
            note(context, child.pid)
        if os.fork() == 0:
            note(context, os.getpid())
            time.sleep(100)
            os._exit(0)
        time.sleep(100)

    results = results_of(tmp_path, experiment(tmp_path, spawning, 1), executor, timeout=1)
    assert len(results.failed) == 1
    pids = list(executed(tmp_path))
    assert len(pids) == 3
    wait_until(lambda: not any(map(is_there, pids)), 5)


def test_a_run_may_notice_that_its_time_is_up(tmp_path, executor):
    @metalab.operation
    def cooperative(params, runtime, capture):
        assert 0 < runtime.remaining() <= 0.2
        capture.metric("begun", 1)
        while params["x"]:
            time.sleep(0.005)
            runtime.check_cancelled()

    events = []
    exp = experiment(tmp_path, cooperative, 3)
    results = results_of(tmp_path, exp, executor, timeout=0.2, on_event=events.append)
    assert [run.status.value for run in results] == ["success", "failed", "failed"]
    for run in results.failed:
        assert run.error["type"] == "RunTimeoutError"
        assert run.metrics == {"begun": 1}
        assert "check_cancelled" in run.error["traceback"]
    assert len({run.record.provenance.executor_id for run in results}) <= 2


def test_no_run_within_its_limit_is_ended_and_no_neighbour_pays(tmp_path, executor):
    """Runs end shortly before and after the limit, and after the time they are granted beyond."""

    @metalab.operation
    def borderline(context, params, capture):
        note(context, params["x"])
        time.sleep(params["x"] / 1000)
        capture.metric("slept", params["x"])

    limit = 200
    lengths = [1, *range(170, 230, 8), 3, *range(640, 760, 30), 5, *range(40)]
    params = metalab.manual([{"x": x, "n": n} for n, x in enumerate(lengths)])
    exp = experiment(tmp_path, borderline, params=params)
    results = results_of(tmp_path, exp, executor, timeout=limit / 1000, retry=1)
    assert len(results) == len(lengths)
    for run in results:
        if run.params["x"] < limit - 10:
            assert run.status == "success"
        if run.status == "success":
            assert run.metrics["slept"] == run.params["x"]
        else:
            assert run.error["type"] == "RunTimeoutError", run.error
            assert run.duration_ms >= limit
        if run.params["x"] > limit + 600:
            assert run.status == "failed"
    # Only what had just begun as its worker was ended may have been called twice.
    assert sum(executed(tmp_path).values()) <= len(lengths) + len(results.failed)


def test_asking_a_worker_where_it_is_may_kill_it_and_is_no_death_of_the_run(tmp_path, executor):
    """An interpreter may die of writing down its frames; so it is asked when it has to end."""

    @metalab.operation
    def mortal(params):
        faulthandler.unregister(DUMP)  # the signal ends the process now
        time.sleep(params["x"] / 1000)

    params = metalab.manual([{"x": x} for x in (30, 80, 150, 10_000)])
    exp = experiment(tmp_path, mortal, params=params)
    results = results_of(tmp_path, exp, executor, timeout=0.05, retry=1)
    assert results.filter(x=10_000)[0].status == "failed"
    for run in results.failed:
        assert run.error["type"] == "RunTimeoutError", run.error


@pytest.mark.parametrize("executor", ["inline", "thread"])
@pytest.mark.parametrize(
    ("limit", "text"), [({"timeout": 1}, "timeout=1"), ({"memory": "1G"}, "memory=1073741824")]
)
def test_executors_that_cannot_end_a_run_refuse_limits(tmp_path, executor, limit, text):
    @metalab.operation
    def plain():
        pass

    exp = experiment(tmp_path, plain)
    with pytest.raises(MetalabError, match=f"{text}: the executor '{executor}' .*'process'"):
        metalab.run(exp, tmp_path / "store", executor=executor, **limit)
    assert list(Path(tmp_path).iterdir()) == []
