"""Runs in the pools of the standard library, loky, dask, mpi4py and parsl."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

import metalab

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the store is of POSIX processes")
_SCRIPT = Path(__file__).with_name("engines.py")
_NEEDS = {"loky": "loky", "dask": "distributed", "mpi": "mpi4py", "parsl": "parsl"}
_SECONDS = 240


def command(engine, *arguments):
    needed = _NEEDS.get(engine)
    if needed is not None and find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed: uv sync --group pools")
    if engine != "mpi":
        return [sys.executable, str(_SCRIPT), engine, *map(str, arguments)]
    mpiexec = shutil.which("mpiexec", path=_path())
    if mpiexec is None:
        pytest.skip("mpiexec is not installed: uv sync --group pools")
    as_pool = ["-m", "mpi4py.futures", str(_SCRIPT), engine, *map(str, arguments)]
    return [mpiexec, "-n", "3", sys.executable, *as_pool]


def _path():
    """Where the commands of this environment are found, which some engines start by name."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def start(engine, *arguments):
    return subprocess.Popen(
        command(engine, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": _path()},
        start_new_session=True,
    )


def finish(process):
    try:
        out, err = process.communicate(timeout=_SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def executed(tmp_path):
    path = tmp_path / "executed"
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("engine", ["fork", "spawn", "forkserver", "loky", "dask", "mpi", "parsl"])
def test_results_are_those_of_the_inline_executor(engine, tmp_path):
    told = finish(start(engine, tmp_path / "store"))
    assert told["pool"] == told["inline"]
    assert [row[1] for row in told["pool"]].count("failed") == 1
    assert told["derived"] == [2 * row[3]["y"] if row[3] else None for row in told["pool"]]
    assert told["kinds"] == {
        "run_started": 30,
        "artifact_saved": 29,
        "run_finished": 29,
        "run_failed": 1,
    }
    assert told["flaws"] == 0
    assert Counter(executed(tmp_path)) == {str(x): 2 for x in range(30)}


_BROKEN = "ExperimentFailedError: the pool (ProcessPoolExecutor) executes nothing any more: "


def test_a_pool_that_breaks_is_replaced_until_the_guilty_run_is_found(tmp_path):
    """Each new pool goes on from the results of the one before; nobody else is to blame."""
    for broken in range(5):
        told = finish(start("fork", tmp_path / "store", "deadly"))
        if "error" not in told:
            break
        assert told["error"].startswith(_BROKEN + "BrokenProcessPool: ")
        assert "run the experiment again with a new pool" in told["error"]
        if broken == 1:  # the suspects came last
            done = metalab.load_results(tmp_path / "store").successful
            assert len(done) >= 25
    assert told["successful"] == 29
    ((x, message),) = told["failed"]
    assert x == 5
    assert message.startswith("it was lost 3 times in a row (its process died, 3 times)")
    calls = Counter(executed(tmp_path))
    assert calls["5"] == 4
    assert all(calls[str(x)] <= 2 for x in range(30) if x != 5)


def test_a_pool_of_loky_that_breaks_is_told_in_a_line(tmp_path):
    told = finish(start("loky", tmp_path / "store", "deadly"))
    assert told["error"].startswith(_BROKEN + "TerminatedWorkerError: ")
    assert "\n" not in told["error"]


def test_a_pool_that_replaces_its_workers_goes_on(tmp_path):
    told = finish(start("dask", tmp_path / "store", "deadly"))
    assert told["successful"] == 29
    ((x, message),) = told["failed"]
    assert x == 5
    assert "the process that executed it died (try 3 of 3): KilledWorker" in message


def test_ctrl_c_ends_it_in_order_and_the_next_launch_goes_on(tmp_path):
    process = start("fork", tmp_path / "store", "held")
    assert process.stdout.readline() == "started\n"
    deadline = time.monotonic() + 60
    while len(executed(tmp_path)) < 6:  # the last two of them are held, one by each worker
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    # The workers go on with what they were given, though the interrupt was theirs as well.
    assert any("the runs under way are finished first" in line for line in process.stderr)
    (tmp_path / "go").touch()
    process.communicate(timeout=60)
    assert process.returncode != 0
    begun = len(executed(tmp_path))
    assert begun < 30
    results = metalab.load_results(tmp_path / "store")
    assert {each.status for each in results} <= {"success", "cancelled"}
    assert finish(start("fork", tmp_path / "store", "held"))["successful"] == 30
    again = Counter(executed(tmp_path))
    done = {str(each.params["x"]) for each in results.successful}
    assert all(again[x] == 1 for x in done)


ENDS = """
import sys
import metalab

@metalab.operation
def lasting(params):
    import time
    time.sleep(0.1)

def experiment(name):
    return metalab.Experiment(
        name=name, version="1", context=None, operation=lasting,
        params=metalab.grid(x=list(range(8))), seeds=metalab.seeds(base=1),
    )

metalab.run(experiment("earlier"), sys.argv[1], "inline", progress=False)
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
pool = ProcessPoolExecutor(2, mp_context=get_context("fork"))
metalab.run(experiment("pooled"), sys.argv[1], metalab.FuturesExecutor(pool), progress=False)
"""


def test_a_script_that_ends_waits_for_its_runs_before_its_pool_ends(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ENDS)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "store")],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(metalab.load_results(tmp_path / "store", "pooled:1").successful) == 8
