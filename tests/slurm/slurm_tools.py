"""Experiments for the tests on a cluster, and what they look at: pilots, records, attempts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import metalab
from metalab.store import FileStore
from process_tools import is_there
from slurm.slurm_cluster import wait_for

QUICK = {"memory": "300M", "time": "10", "poll": 2.0}
"""What a pilot of a test asks for."""


def run(experiment, store, **options):
    """Submit an experiment to the cluster."""
    asked = {name: options.pop(name) for name in list(options) if name not in _OF_RUN}
    return metalab.run(experiment, store, executor={"slurm": {**QUICK, **asked}}, **options)


_OF_RUN = {"derived_metrics", "on_event", "on_failure", "progress", "resume", "retry", "timeout"}


def experiment(operation, name="e", replicates=1, **params):
    """Return an experiment of a grid of params."""
    return metalab.Experiment(
        name=name,
        version="1",
        context=None,
        operation=operation,
        params=metalab.grid(**params),
        seeds=metalab.seeds(base=1, replicates=replicates),
    )


def lines_of(store):
    """Return all lines of a store's segments, of whatever kind."""
    found = []
    for path in Path(store).rglob("runs/*.jsonl"):
        # The last line may be half written, for others are at work.
        found += [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return found


def successes(store):
    """Count, by run id, the attempts that succeeded."""
    return Counter(
        line["id"] for line in lines_of(store) if line["t"] == "run" and line["status"] == "success"
    )


def are_begun(store, runs):
    """Tell whether so many runs have begun."""
    return len({line["id"] for line in lines_of(store) if line["t"] == "start"}) == runs


def losses(store):
    """Return the causes for which attempts were lost."""
    return [line["cause"] for line in lines_of(store) if line["t"] == "lost"]


def opened(store):
    """Return the ``open`` line of each segment of a worker: host, pid, owner."""
    return [line for line in lines_of(store) if line["t"] == "open" and line.get("owner")]


def pilots_of(store):
    """Return the pids of the pilots by the job that each is."""
    supervisors = [line for line in opened(store) if ".supervisor." in line["writer"]]
    return {line["owner"].partition("+")[0]: line["pid"] for line in supervisors}


def kill(store, job):
    """Kill a pilot, and return once its workers are gone with it."""
    pids = [line["pid"] for line in opened(store) if line["owner"].startswith(f"{job}+")]
    os.kill(pilots_of(store)[job], signal.SIGKILL)
    wait_for(lambda: not any(map(is_there, pids)))


def until_there(gate):
    """Return options of pilots that begin once there is a file."""
    return {"setup": (f"until [ -e {gate} ]; do sleep 0.1; done",)}


def output(store):
    """Return what the jobs printed, for a test that fails."""
    return "\n".join(p.read_text() for p in sorted(Path(store).rglob("slurm/out/*.log")))


def store_of(store, experiment_id="e:1"):
    """Open an experiment's store."""
    return FileStore(store).scoped(experiment_id)


def script(path, text, *arguments, **environment):
    """Run a script of a user's, in its own folder, and return what it prints."""
    path.write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, path.name, *map(str, arguments)],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


AWAY = """
    import sys, time
    from pathlib import Path

    import metalab

    @metalab.operation
    def op(params):
        while not Path(params["folder"], "go").exists():
            time.sleep(0.02)
        return {"y": params["x"]}

    exp = metalab.Experiment(name="away", version="1", context=None, operation=op,
        params=metalab.grid(x=list(range(12)), folder=[sys.argv[2]]), seeds=metalab.seeds(base=1))
    asked = {"slurm": {"memory": "300M", "time": "10", "pilots": 3}}
    metalab.run(exp, sys.argv[1], executor=asked)
"""
"""A script that submits twelve runs, which wait for a file, to three pilots, and ends.

Its arguments are a store and the folder of that file.
"""


__all__ = [
    "AWAY",
    "are_begun",
    "experiment",
    "kill",
    "lines_of",
    "losses",
    "opened",
    "output",
    "pilots_of",
    "run",
    "script",
    "store_of",
    "successes",
    "wait_for",
]
