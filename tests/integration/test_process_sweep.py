"""One sweep that is interrupted, killed, raced and resumed, with worker processes throughout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

import metalab

SCRIPT = """
import os, sys, time
import metalab

folder, runs, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])

@metalab.operation
def step(params, seeds, capture, runtime):
    # One write of a few bytes at the end of a file is never cut in two by another one.
    journal = os.open(folder + "/executed", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, b"%6d\\n" % params["x"])
    executed = os.fstat(journal).st_size // 7
    os.close(journal)
    time.sleep(seconds)
    # Not a variable of the script: a launch with another one would begin all anew.
    while executed > int(os.environ["MOST"]) and not runtime.should_stop:
        time.sleep(0.01)
    capture.metric("y", 2 * params["x"])
    capture.metric("z", seeds.rng().random())

exp = metalab.Experiment(
    name="sweep", version="1", context={}, operation=step,
    params=metalab.grid(x=list(range(runs))), seeds=metalab.seeds(base=1),
)
handle = metalab.run(exp, folder + "/store", executor=metalab.ProcessExecutor(2), progress=False)
results = handle.result()
print(len(results.successful), handle.status.completed + handle.status.skipped)
"""
WORKERS = 2


@pytest.fixture
def start(tmp_path):
    script, started = tmp_path / "sweep.py", []
    script.write_text(SCRIPT)

    def start(runs, seconds, most):
        """Start a sweep that goes on only until so many runs are begun, by whomever."""
        process = subprocess.Popen(
            [sys.executable, script, tmp_path, str(runs), str(seconds)],
            env={**os.environ, "MOST": str(most)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def executed(folder):
    path = folder / "executed"
    return Counter(map(int, path.read_text().split())) if path.exists() else Counter()


def wait_for(process, folder, runs, seconds=300):
    deadline = time.monotonic() + seconds
    ended = process.poll()
    while executed(folder).total() < runs:
        assert ended is None, process.communicate()
        ended = process.poll()  # before the next look at what it has done
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("runs", "seconds"), [(1000, 0.005), pytest.param(100_000, 0.0005, marks=pytest.mark.slow)]
)
def test_whatever_happens_to_a_sweep_each_run_has_one_result(start, tmp_path, runs, seconds):
    interrupted = start(runs, seconds, runs // 5)
    wait_for(interrupted, tmp_path, runs // 10)
    interrupted.send_signal(signal.SIGINT)
    interrupted.communicate(timeout=120)
    assert interrupted.returncode != 0
    done = executed(tmp_path)
    assert done.total() < runs
    assert set(done.values()) == {1}
    assert len(metalab.load_results(tmp_path / "store").successful) == done.total()

    killed = start(runs, seconds, done.total() + runs // 5)
    wait_for(killed, tmp_path, done.total() + runs // 10)
    killed.kill()
    killed.communicate(timeout=120)
    assert executed(tmp_path).total() < runs

    racing = [start(runs, seconds, 6 * runs // 10), start(runs, seconds, 2 * runs)]
    wait_for(racing[0], tmp_path, runs // 2)
    racing[0].kill()
    out, err = racing[1].communicate(timeout=1200)
    assert racing[1].returncode == 0, err
    assert out.split() == [str(runs)] * 2

    results = metalab.load_results(tmp_path / "store")
    assert [run.metrics["y"] for run in results] == [2 * x for x in range(runs)]
    again = {x for x, times in executed(tmp_path).items() if times > 1}
    # What the workers of the two that were killed were at is all that was done anew.
    assert len(again) <= 2 * WORKERS
    assert executed(tmp_path).total() <= runs + 2 * WORKERS
