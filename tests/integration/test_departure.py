"""Leaving: Ctrl-C, scripts that end before their runs do, and kill -9 at any moment."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import metalab

SCRIPT = """
import sys, threading, time
import metalab
from metalab.execution.base import Submission

@metalab.operation
def slow(params, capture, runtime):
    with open(sys.argv[1] + ".calls", "a") as calls:
        calls.write(f"{params['x']}\\n")
    while params["x"] >= int(sys.argv[3]) and not runtime.should_stop:
        time.sleep(0.01)
    time.sleep(float(sys.argv[2]))
    capture.metric("y", params["x"])

exp = metalab.Experiment(
    name="leave", version="1", context={}, operation=slow,
    params=metalab.grid(x=list(range(6))), seeds=metalab.seeds(base=1),
)
handle = metalab.run(exp, sys.argv[1], executor=None, progress=False)
print("started", flush=True)

def is_waited_for():
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame is not None:
        if frame.f_code.co_name == "wait" and isinstance(frame.f_locals["self"], Submission):
            return True
        frame = frame.f_back
    return False

def watch():
    # Only from then on is a Ctrl-C the launch's, and no longer the script's.
    while not is_waited_for():
        time.sleep(0.01)
    print("waiting", flush=True)

threading.Thread(target=watch, daemon=True).start()
"""

WAITS = SCRIPT + "handle.result()\nprint('finished', flush=True)\n"
FALLS_OFF = SCRIPT
SLEEPS = SCRIPT + "time.sleep(100)\n"


IN_A_PROCESS = ("executor=None", "executor={'process': {'max_workers': 1}}")


@pytest.fixture(params=["thread", "process"])
def start(tmp_path, request):
    """Start a script in a session of its own, its runs in a thread of it or in a process."""
    processes = []

    def start(script, seconds=0.2, held=1000):
        """Runs from ``held`` on go on until they are to stop, and for so many seconds more."""
        file = tmp_path / "script.py"
        if request.param == "process":
            script = script.replace(*IN_A_PROCESS)
        file.write_text(textwrap.dedent(script))
        process = subprocess.Popen(
            [sys.executable, str(file), str(tmp_path / "store"), str(seconds), str(held)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _calls(tmp_path):
    return (tmp_path / "store.calls").read_text().split()


def _wait_for_calls(tmp_path, count):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (tmp_path / "store.calls").exists() and len(_calls(tmp_path)) >= count:
            return
        time.sleep(0.01)
    raise AssertionError("the script did not begin")


def test_a_script_whose_last_line_is_run_finishes_its_runs(start, tmp_path):
    process = start(FALLS_OFF, 0.05)
    assert process.wait(60) == 0, process.stderr.read()
    assert len(metalab.load_results(tmp_path / "store").successful) == 6


@pytest.mark.parametrize("script", [WAITS, FALLS_OFF, SLEEPS], ids=["result", "end", "own code"])
def test_ctrl_c_stops_the_launch_and_the_next_one_resumes(start, tmp_path, script):
    process = start(script, held=2)
    _read_until(process.stdout, "started" if script == SLEEPS else "waiting")
    _wait_for_calls(tmp_path, 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    executed = len(_calls(tmp_path))
    assert executed < 6
    done = metalab.load_results(tmp_path / "store")
    assert len(done.successful) == executed

    again = start(WAITS, 0.01)
    out, err = again.communicate(timeout=60)
    assert "finished" in out, err
    assert sorted(_calls(tmp_path)) == [str(n) for n in range(6)]
    assert len(metalab.load_results(tmp_path / "store").successful) == 6


@pytest.mark.parametrize("script", [WAITS, FALLS_OFF], ids=["result", "end"])
def test_a_second_ctrl_c_leaves_at_once_with_130(start, tmp_path, script):
    process = start(script, 100)
    _wait_for_calls(tmp_path, 1)
    # What interrupts metalab.run itself, or the end of the script, is not what this is about.
    _read_until(process.stdout, "waiting")
    process.send_signal(signal.SIGINT)
    _read_until(process.stderr, "press Ctrl-C again")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert {run.status for run in metalab.load_results(tmp_path / "store")} <= {
        "cancelled",
        "running",
    }


# As the signal does that comes when the interpreter has only begun to shut down.
AT_THE_VERY_END = """
import signal
threading._register_atexit(lambda: signal.raise_signal(signal.SIGINT))
while not handle.status.running:
    time.sleep(0.01)
"""


def test_ctrl_c_just_as_the_interpreter_shuts_down_stops_the_launch_too(start, tmp_path):
    process = start(FALLS_OFF + AT_THE_VERY_END, held=0)
    assert process.wait(30) == 130, process.stderr.read()
    done = metalab.load_results(tmp_path / "store")
    assert [run.status for run in done] == ["success"]
    assert _calls(tmp_path) == ["0"]
    again = start(WAITS, 0.01)
    assert "finished" in again.communicate(timeout=60)[0]
    assert sorted(_calls(tmp_path)) == [str(n) for n in range(6)]


def _read_until(stream, text):
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"the process ended without saying {text!r}")


def test_an_inline_run_hit_by_ctrl_c_is_recorded_as_cancelled(start, tmp_path):
    process = start(WAITS.replace("executor=None", "executor='inline'"), 100)
    _wait_for_calls(tmp_path, 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    results = metalab.load_results(tmp_path / "store")
    assert [run.status for run in results] == ["cancelled"]


def test_nothing_is_lost_or_done_twice_over_kills_at_random_moments(start, tmp_path):
    """Twenty launches are killed with SIGKILL; whoever was seen as done never runs again."""
    moments = random.Random(20)
    script = WAITS.replace("range(6)", "range(300)")
    done_before: set[str] = set()
    for _ in range(20):
        calls_before = len(_calls(tmp_path)) if (tmp_path / "store.calls").exists() else 0
        process = start(script, 0.004)
        process.stdout.readline()
        if len(done_before) < 300:
            _wait_for_calls(tmp_path, calls_before + 1)
        time.sleep(moments.uniform(0.0, 0.08))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        results = metalab.load_results(tmp_path / "store")
        done = {str(run.params["x"]) for run in results.successful}
        assert done >= done_before
        new_calls = _calls(tmp_path)[calls_before:]
        assert not set(new_calls) & done_before
        done_before = done
        assert not results.store.read().damage or all(
            re.search("jsonl", damage.place) for damage in results.store.read().damage
        )
    final = start(script, 0.0)
    out, err = final.communicate(timeout=120)
    assert "finished" in out, err
    results = metalab.load_results(tmp_path / "store")
    assert [run.metrics["y"] for run in results] == list(range(300))
    assert len({run.run_id for run in results}) == 300


SEVERAL = """
import sys, time
import metalab

@metalab.operation
def lasting(params):
    time.sleep(params["seconds"])

for name, seconds in [("a", 0.2), ("b", 1.5), ("c", 0.2)]:
    exp = metalab.Experiment(
        name=name, version="1", context={}, operation=lasting,
        params=metalab.grid(seconds=[seconds]), seeds=metalab.seeds(base=1),
    )
    metalab.run(exp, sys.argv[1], executor=None, progress=False)
"""


def test_a_script_that_ends_waits_for_each_of_its_launches(start, tmp_path):
    process = start(SEVERAL)
    assert process.wait(60) == 0, process.stderr.read()
    done = [metalab.load_results(tmp_path / "store", f"{name}:1") for name in "abc"]
    assert [len(results.successful) for results in done] == [1, 1, 1]
