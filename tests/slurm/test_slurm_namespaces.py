"""Pilots whose pids mean nothing to each other: Slurm alone tells which of them is gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slurm.slurm_operations import held
from slurm.slurm_tools import (
    experiment,
    lines_of,
    losses,
    opened,
    output,
    pilots_of,
    run,
    successes,
    wait_for,
)

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

_OPTIONS = "--fork --pid --mount-proc --kill-child"


@pytest.fixture
def lone_python(tmp_path):
    """An interpreter in a pid namespace of its own, whose job outlives it while a file is there."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("only root, with unshare, makes pid namespaces")
    if subprocess.run(
        ["unshare", *_OPTIONS.split(), "true"], capture_output=True, check=False
    ).returncode:
        pytest.skip("pid namespaces cannot be made here")
    (tmp_path / "lingering").touch()
    path = tmp_path / "lone-python"
    path.write_text(
        "#!/bin/bash\n"
        f'{shutil.which("unshare")} {_OPTIONS} {sys.executable} "$@"\n'
        f"code=$?; while [ -e {tmp_path}/lingering ]; do {shutil.which('sleep')} 0.1; done\n"
        "exit $code\n"
    )
    path.chmod(0o755)
    return str(path)


def _processes():
    """Return what executes in other namespaces: pairs of a job and a pid as seen from here."""
    found = set()
    here = Path("/proc/self/ns/pid").readlink()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns" / "pid").readlink() == here:
                continue
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        jobs = [each for each in environment if each.startswith(b"SLURM_JOB_ID=")]
        found |= {(job.partition(b"=")[2].decode(), int(process.name)) for job in jobs}
    return found


def _kill(jobs):
    """Kill the pilots that these jobs are, and return once their workers are gone with them."""
    for job, pid in _processes():
        # A worker may be gone with its pilot by now.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if job in jobs and b"metalab_slurm.pilot" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not jobs & {job for job, _ in _processes()})


def _begin(store, folder, python, **options):
    folder.mkdir()
    exp = experiment(held, x=[1, 2], folder=[str(folder)])
    handle = run(exp, store, pilots=2, python=python, **options)
    wait_for(lambda: handle.status.running == 2)
    return handle


def _job_of_second_attempt(store):
    owners = {line["writer"]: line["owner"] for line in opened(store)}
    lines = (line for line in lines_of(store) if line["t"] == "run" and line["attempt"] == 2)
    (job,) = {owners[line["writer"]].partition("+")[0] for line in lines}
    return job


def test_a_pilot_is_gone_once_its_job_is_and_never_before(cluster, tmp_path, lone_python):
    store, deaf = tmp_path / "store", tmp_path / "deaf"
    handle = _begin(store, tmp_path / "a", lone_python)
    # These pilots cannot ask Slurm.
    unheard = _begin(deaf, tmp_path / "b", lone_python, setup=("export PATH=/nowhere",))
    assert len({line["pid"] for line in opened(store)}) < len(opened(store))
    gone, mute = (min(pilots_of(root), key=int) for root in (store, deaf))
    _kill({gone, mute})
    (tmp_path / "a" / "go").touch()
    (tmp_path / "b" / "go").touch()
    for each in (handle, unheard):
        wait_for(lambda each=each: each.status.completed == 1, what=f"{each} {output(store)}")
    time.sleep(6.5)  # longer than what a pilot was told is believed
    assert not losses(store)
    (tmp_path / "lingering").unlink()
    results = handle.result(timeout=60)
    assert [r.status.value for r in results] == ["success"] * 2, output(store)
    assert losses(store) == ["killed"]
    assert set(successes(store).values()) == {1}
    assert len(handle.job_ids) == 1
    assert _job_of_second_attempt(store) != gone
    assert not losses(deaf)
    assert unheard.status.completed == 1
    unheard.cancel()
    assert unheard.wait(60)
