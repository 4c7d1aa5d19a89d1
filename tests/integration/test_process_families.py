"""Processes around a launch: parents that are killed, and children of operations and scripts."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

import metalab
from process_tools import SECONDS, executed, is_there, said_by, start_script, wait_until

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="which processes there are is told by /proc"
)

BEGINNING = """
import ctypes, multiprocessing, os, subprocess, sys, time, threading, warnings
from pathlib import Path
import metalab
from process_tools import experiment, note

warnings.simplefilter("ignore", DeprecationWarning)  # that forking beside threads is risky
here = Path.cwd()

def run(operation, runs=6, workers=2, **fields):
    options = {"process": {"max_workers": workers}}
    exp = experiment(here, operation, runs, **fields)
    return metalab.run(exp, here / "store", options, progress=False)

@metalab.operation
def plain(context, params, capture):
    note(context, params["x"])
    time.sleep(0.05)
    capture.metric("y", params["x"])
"""


@pytest.fixture
def environment():
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}


@pytest.fixture
def execute(tmp_path, environment):
    def execute(script):
        return said_by(tmp_path, BEGINNING + script, env=environment)

    return execute


WAYS_TO_WAIT = {
    "asleep": "time.sleep(100)",
    "holding the interpreter": "pow(3, 10**9)",
    "with children": "subprocess.run([sys.executable, '-c', 'import time; time.sleep(100)'])",
}
WITH_A_CHILD = """
    if os.fork() == 0:
        time.sleep(100)
        os._exit(0)
"""


@pytest.mark.parametrize(
    ("wait", "after"),
    [*((wait, "") for wait in WAYS_TO_WAIT.values()), (WAYS_TO_WAIT["asleep"], WITH_A_CHILD)],
    ids=[*WAYS_TO_WAIT, "and a child of the parent's"],
)
def test_workers_end_with_their_parent_and_the_next_launch_goes_on(
    tmp_path, environment, wait, after
):
    script = BEGINNING + (
        "@metalab.operation\n"
        "def waiting(context, params, capture):\n"
        "    note(context, params['x'])\n"
        "    capture.metric('y', params['x'])\n"
        "    if params['x'] >= 4 and len(sys.argv) < 2 and not (here / 'again').exists():\n"
        "        (here / f'{os.getpid()}.pid').touch()\n"
        f"        {wait}\n"
        "handle = run(waiting)\n"
        "while len(list(here.glob('*.pid'))) < 2 and not (here / 'again').exists():\n"
        "    time.sleep(0.01)\n"
        "if not (here / 'again').exists():\n"
        "    (here / 'parent').touch()\n"
        f"{after}"
        "results = handle.result(40)\n"
        "print([run.metrics['y'] for run in results], len(results.successful))\n"
    )
    process = start_script(tmp_path, script, env=environment)
    try:
        wait_until((tmp_path / "parent").exists)
        wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
        time.sleep(0.3)  # what is called next holds the interpreter by then
        workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
        groups = [pid for pid in all_processes() if group_of(pid) in workers]
        assert set(groups) >= set(workers)
        done = {run.params["x"] for run in metalab.load_results(tmp_path / "store").successful}
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(map(is_there, groups)))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=SECONDS)
    before = executed(tmp_path)
    (tmp_path / "again").touch()
    assert said_by(tmp_path, script, env=environment) == ["[0, 1, 2, 3, 4, 5] 6"]
    again = executed(tmp_path) - before
    assert not {int(x) for x in again} & done
    assert {"4", "5"} <= set(again)
    assert set(again.values()) == {1}


def all_processes():
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def group_of(pid):
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
def test_a_child_that_an_operation_forks_ends_there(execute, tmp_path, executor):
    """However it ends: it records nothing, takes no further run, removes no folder of its run."""
    out = execute(f"""
@metalab.operation
def forking(context, params, capture, runtime):
    note(context, params["x"])
    folder = runtime.scratch_dir
    if (child := os.fork()) == 0:
        if params["x"] == 0:
            os._exit(3)
        if params["x"] == 1:
            sys.exit(4)
        if params["x"] == 2:
            raise ValueError("in the child")
        if params["x"] == 3:
            os.kill(os.getpid(), 9)
        return
    _, status = os.waitpid(child, 0)
    capture.metric("status", os.waitstatus_to_exitcode(status))
    capture.metric("scratch", folder.exists())

exp = experiment(here, forking)
handle = metalab.run(exp, here / "store", "{executor}", progress=False)
results = handle.result(40)
print([run.metrics.get("status") for run in results], all(r.metrics["scratch"] for r in results))
print(handle.status.completed, [len(run.attempts()) for run in results])
""")
    assert out == ["[3, 4, 1, -9, 0, 0] True", "6 [1, 1, 1, 1, 1, 1]"]
    assert executed(tmp_path) == {str(x): 1 for x in range(6)}


def test_an_operation_may_use_pools_of_processes(execute):
    out = execute("""
def double(x):
    return 2 * x

@metalab.operation
def pooled(params, capture):
    for method in ("fork", "forkserver", "spawn"):
        if params["x"] == ("fork", "forkserver", "spawn").index(method):
            with multiprocessing.get_context(method).Pool(2) as pool:
                capture.metric("sum", sum(pool.map(double if method == "fork" else abs, range(5))))

results = run(pooled, 3).result(45)
print([run.metrics or run.error for run in results])
""")
    assert out == ["[{'sum': 20}, {'sum': 10}, {'sum': 10}]"]


def test_a_script_may_fork_while_its_runs_go_on(execute):
    out = execute("""
executor = metalab.ProcessExecutor(2)
handle = metalab.run(experiment(here, plain, 40), here / "store", executor, progress=False)
while not handle.status.completed:
    time.sleep(0.01)
ends = []
for end in range(3):
    child = os.fork()
    if child == 0:
        if end == 0:
            os._exit(5)
        if end == 1:
            sys.exit(6)
        other = experiment(here, plain, 4, name="child", context={"journal": str(here / "other")})
        own = metalab.run(other, here / "store", executor, progress=False)
        print(len(own.result(30).successful), flush=True)
        sys.exit(7)
    ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(ends)
print(len(handle.result(30).successful), handle.status.completed)
""")
    assert out == ["4", "[5, 6, 7]", "40 40"]


def test_more_workers_than_processors_do_each_run_once(execute, tmp_path):
    assert execute("""
@metalab.operation
def meeting(context, params, capture):
    note(context, params["x"])
    (here / f"{os.getpid()}.came").touch()
    while len(list(here.glob("*.came"))) < 7:
        time.sleep(0.01)

results = run(meeting, 200, workers=7).result(45)
print(len({run.record.provenance.executor_id for run in results}), len(results.successful))
""") == ["7 200"]
    assert executed(tmp_path) == {str(x): 1 for x in range(200)}


@pytest.mark.parametrize("workers", [2, 8])
def test_workers_that_cannot_be_started_are_told_of_and_may_be_later(execute, workers):
    """Also where some that were started before are only about to die."""
    out = execute(
        f"executor = metalab.ProcessExecutor({workers})"
        """
os.environ["PYTHONHOME"] = str(here)  # where no library of Python is
for attempt in range(2):
    try:
        executor.start()
    except metalab.errors.MetalabError as error:
        print(error)
try:
    metalab.run(experiment(here, plain), here / "store", executor, progress=False).result(30)
except metalab.errors.MetalabError as error:
    print(error)
del os.environ["PYTHONHOME"]
handle = metalab.run(experiment(here, plain), here / "store", executor, progress=False)
print(len(handle.result(30)))
executor.start().shutdown()
"""
    )
    assert (
        out[0] == out[1] == "worker processes cannot be started: the last one exited with status 1"
    )
    assert "cannot execute deaths:1" in out[2]
    assert out[3] == "6"


def test_a_launch_makes_do_with_the_files_that_it_may_open(execute):
    out = execute("""
import resource
executor = metalab.ProcessExecutor(16)
used = len(os.listdir("/proc/self/fd"))
resource.setrlimit(resource.RLIMIT_NOFILE, (used + 60, used + 60))
results = metalab.run(experiment(here, plain, 40), here / "store", executor, progress=False)
print(len(results.result(40).successful))
""")
    assert out == ["40"]


def test_a_launch_that_comes_to_a_supervisor_that_has_failed_is_told(execute):
    out = execute("""
import resource
from metalab.execution.process.supervisor import Supervisor

class Late:
    def abandon(self, error):
        print(error.strerror)

# The boards that are shared with workers are larger.
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
supervisor = Supervisor(2, 1)
supervisor.start(2)
assert supervisor.over.wait(30)
supervisor.add(Late())
try:
    metalab.run(experiment(here, plain), here / "store", "process", progress=False).result(30)
except OSError as error:
    print(error.strerror)
""")
    assert out == ["File too large"] * 2
