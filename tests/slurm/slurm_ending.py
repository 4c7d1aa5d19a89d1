"""Ends a test's cluster and nothing else; as a program it does so once its owner is gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path


def started_at(pid):
    """Return when a process started, which tells it from a later one of its number; 0 if gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def daemon_of(folder, name):
    """Return the number of a daemon that this cluster started and that still lives, else None."""
    try:
        pid, started = map(int, (folder / "pids" / f"{name}.pid").read_text().split())
    except (OSError, ValueError):
        return None
    return pid if started and started_at(pid) == started else None


def end_daemon(folder, name, number=signal.SIGKILL):
    pid = daemon_of(folder, name)
    if pid is None:
        return
    # A controller that is not let save its jobs has forgotten them.
    for each, patience in ((number, 50), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, each)
        deadline = time.monotonic() + patience
        while daemon_of(folder, name) and time.monotonic() < deadline:
            time.sleep(0.02)


def _steps(folder):
    """Return the processes that watch jobs of this cluster: they hold its logs open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "comm").read_text().strip() == "slurmstepd":
                held = [str(link.readlink()) for link in (process / "fd").iterdir()]
                if any(path.startswith(f"{folder}/log/") for path in held):
                    found.append(int(process.name))
    return found


def _children(pids):
    """Return all descendants of processes."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = set(pids)
    while new := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= new
    return found - set(pids)


def end_cluster(folder, *, spared="watchdog"):
    names = [path.stem for path in folder.glob("pids/*.pid")]
    deadline = time.monotonic() + 3
    while _steps(folder) and daemon_of(folder, "slurmctld") and time.monotonic() < deadline:
        time.sleep(0.05)
    for name in names:
        if name != spared:
            end_daemon(folder, name)
    steps = _steps(folder)
    for pid in (*_children(steps), *steps):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def watch(folder, owner, started):
    """End a cluster whose owner has ended without doing so."""
    while started_at(owner) == started and folder.exists():
        time.sleep(0.5)
    if folder.exists():
        # Whether or not it comes to that in time.
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                ["scancel", f"--user={os.getuid()}"], timeout=5, check=False, capture_output=True
            )
        end_cluster(folder)


if __name__ == "__main__":
    watch(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
