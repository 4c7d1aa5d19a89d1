"""Processes that fork: operations that use multiprocessing, and children of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")

BEGINNING = """
import multiprocessing, os, sys, time, warnings
from concurrent.futures import ProcessPoolExecutor
import metalab

warnings.simplefilter("ignore", DeprecationWarning)  # that forking beside threads is risky
fork = multiprocessing.get_context("fork")

def experiment(operation, name="forks", points=3):
    return metalab.Experiment(
        name=name, version="1", context={}, operation=operation,
        params=metalab.grid(x=list(range(points))), seeds=metalab.seeds(base=1),
    )

@metalab.operation
def plain(params, capture):
    time.sleep(0.05)
    capture.metric("y", params["x"])
"""


@pytest.fixture
def execute(tmp_path):
    def execute(script):
        file = tmp_path / "forks.py"
        file.write_text(BEGINNING + textwrap.dedent(script))
        done = subprocess.run(
            [sys.executable, str(file), str(tmp_path / "store")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return execute


def test_an_operation_may_start_processes_that_fork(execute):
    """Such a child ends as interpreters do, and must not wait for its parent's launch."""
    out = execute("""
        @metalab.operation
        def forks(params, capture):
            child = fork.Process(target=abs, args=(1,))
            child.start()
            child.join(20)
            capture.metric("exit", child.exitcode)
            with ProcessPoolExecutor(2, mp_context=fork) as pool:
                capture.metric("sum", sum(pool.map(abs, [1, -2])))

        results = metalab.run(experiment(forks), sys.argv[1], progress=False).result(45)
        print([(run.status.value, run.metrics) for run in results])
    """)
    assert out[0] == str([("success", {"exit": 0, "sum": 3})] * 3)


def test_a_child_that_leaves_does_not_wait_for_its_parent_s_runs(execute):
    out = execute("""
        handle = metalab.run(experiment(plain), sys.argv[1], progress=False)
        child = os.fork()
        if child == 0:
            sys.exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        print(len(handle.result(30).successful))
    """)
    assert out[:2] == ["7", "3"]


def test_a_child_cannot_wait_for_runs_that_its_parent_executes(execute):
    out = execute("""
        handle = metalab.run(experiment(plain), sys.argv[1], progress=False)
        child = os.fork()
        if child == 0:
            try:
                handle.result()
            except RuntimeError as error:
                print(error, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(len(handle.result(30).successful))
    """)
    assert "in the process that began it" in out[0]
    assert out[1] == "3"


def test_a_child_may_use_its_parent_s_executor(execute):
    out = execute("""
        executor = metalab.ThreadExecutor(1)
        handle = metalab.run(
            experiment(plain, points=10), sys.argv[1], executor=executor, progress=False
        )
        child = os.fork()
        if child == 0:
            own = metalab.run(
                experiment(plain, "child"), sys.argv[1], executor=executor, progress=False
            )
            print(len(own.result(20).successful))
            sys.exit(0)
        os.waitpid(child, 0)
        print(len(handle.result(30).successful))
    """)
    assert out[:2] == ["3", "10"]


def test_runs_may_be_executed_while_the_interpreter_ends(execute):
    out = execute("""
        import atexit

        def last():
            try:
                print(len(metalab.run(experiment(plain), sys.argv[1], progress=False).result(20)))
            except RuntimeError as error:  # from Python 3.12 on no thread can be started by then
                print("thread" in str(error) and 3)

        atexit.register(last)
    """)
    assert out[0] == "3"
