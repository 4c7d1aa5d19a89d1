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
from metalab.execution.process import member, supervisor
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


def slow_of_speech():
    """Tell where it is word by word, as one does whose processor others have meanwhile."""
    files = [path for path in Path("/proc/self/fd").iterdir() if path.exists()]
    (crash,) = (int(path.name) for path in files if "metalab-crash" in str(path.readlink()))

    def tell(*_):
        for words in ("this is ", "what it says", " in _run_module_as_main\n"):
            os.write(crash, words.encode())
            time.sleep(0.02)

    faulthandler.unregister(DUMP)
    signal.signal(DUMP, tell)
    while True:
        time.sleep(0.01)


HANGS = {
    hang.__name__: hang
    for hang in (
        *(locks_twice, sleeps, computes_in_c, matches_for_ever, ignores_signals, raises_nothing),
        slow_of_speech,
    )
}
# What takes no time at all is over by then, though its process be stopped for a while.
LIMIT = 5.0


@metalab.operation
def maybe_hanging(context, params, capture):
    what = params["what"]
    note(context, what)
    if what in HANGS:
        capture.log("about to hang")
        HANGS[what]()
    if what == "spawns":
        spawn(context)
        time.sleep(100)
    capture.metric("is", what)


def spawn(context):
    """Start processes in the ways there are, and note which."""
    for _ in range(2):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
        note({"journal": f"{context['journal']}.spawned"}, child.pid)
    if os.fork() == 0:
        note({"journal": f"{context['journal']}.spawned"}, os.getpid())
        time.sleep(100)
        os._exit(0)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A folder, and the results of runs in it that hang side by side, and of some that do not."""
    folder = tmp_path_factory.mktemp("ended")
    hanging = [*HANGS, "spawns"]
    params = metalab.manual([{"what": each} for each in (*range(6), *hanging, *range(6, 12))])
    exp = experiment(folder, maybe_hanging, params=params)
    with pytest.MonkeyPatch.context() as patch, metalab.ProcessExecutor(len(hanging)) as executor:
        # Enough for a process that does not get a processor soon.
        patch.setattr(member, "_LAST_WORDS", 10.0)
        patch.setattr(member, "_SILENCE", 5.0)
        yield folder, results_of(folder, exp, executor, timeout=LIMIT)


@pytest.mark.parametrize("hang", HANGS)
def test_a_run_that_hangs_is_ended_and_said_to_be_where_it_was(ended, hang):
    _, results = ended
    (failed,) = results.filter(what=hang)
    assert failed.error["type"] == "RunTimeoutError"
    assert f"did not end within {LIMIT:g} s" in failed.error["message"]
    where = "what it says" if hang == "slow_of_speech" else f"in {hang}"
    assert where in failed.error["traceback"]
    assert "about to hang" in failed.error["traceback"]
    assert 1000 * LIMIT <= failed.duration_ms < 40_000


def test_no_other_run_is_ended_or_executed_again(ended):
    folder, results = ended
    assert [run.metrics["is"] for run in results.successful] == list(range(12))
    assert executed(folder) == {str(run.params["what"]): 1 for run in results}


def test_the_processes_that_a_run_has_started_end_with_it(ended):
    folder, results = ended
    assert len(results.filter(what="spawns").failed) == 1
    pids = (folder / "journal.spawned").read_text().split()
    assert len(pids) == 3
    wait_until(lambda: not any(map(is_there, pids)))


def test_a_run_may_notice_that_its_time_is_up(tmp_path, executor, monkeypatch):
    monkeypatch.setattr(supervisor, "_GRACE", 30.0)  # else one that is slow to notice is ended

    @metalab.operation
    def cooperative(params, runtime, capture):
        assert 0 < runtime.remaining() <= 3
        capture.metric("begun", 1)
        while params["x"]:
            time.sleep(0.005)
            runtime.check_cancelled()

    events = []
    exp = experiment(tmp_path, cooperative, 3)
    results = results_of(tmp_path, exp, executor, timeout=3, on_event=events.append)
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
        note(context, f"{params['n']}:{time.time()}")
        time.sleep(params["x"] / 1000)
        capture.metric("slept", params["x"])

    limit = 200
    lengths = [1, *range(170, 230, 8), 3, *range(640, 760, 30), 5, 10_000, *range(40)]
    params = metalab.manual([{"x": x, "n": n} for n, x in enumerate(lengths)])
    exp = experiment(tmp_path, borderline, params=params)
    results = results_of(tmp_path, exp, executor, timeout=limit / 1000, retry=1)
    assert len(results) == len(lengths)
    begun = {
        int(n): float(when) for n, _, when in (each.partition(":") for each in executed(tmp_path))
    }
    # A machine that is busy may hold up some of them, but not many for so long.
    short = [run for run in results if run.params["x"] < limit / 2]
    assert sum(run.status == "success" for run in short) > len(short) / 2
    assert results.filter(x=10_000)[0].status == "failed"
    for run in results:
        if run.status == "success":
            assert run.metrics["slept"] == run.params["x"]
        else:
            assert run.error["type"] == "RunTimeoutError", run.error
            assert run.duration_ms >= limit
            # By its own clock, too, and not only by that of whoever has ended it.
            took = run.record.finished_at.timestamp() - begun.get(run.params["n"], 0.0)
            assert 1000 * took >= limit
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
