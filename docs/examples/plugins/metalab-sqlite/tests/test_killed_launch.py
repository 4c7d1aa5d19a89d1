"""A launch that is killed outright, and the one that goes on from there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter

import metalab

SCRIPT = """
import sys
import time
from pathlib import Path

import metalab


@metalab.operation
def noted(params):
    with Path(params["notes"]).open("a") as file:
        file.write(f"{params['x']}\\n")
    time.sleep(0.05)


if __name__ == "__main__":
    experiment = metalab.Experiment(
        name="noted", version="1", context=None, operation=noted,
        params=metalab.grid(x=list(range(40)), notes=[sys.argv[2]]), seeds=metalab.seeds(base=1),
    )
    executor = {"process": {"max_workers": 2}}
    metalab.run(experiment, sys.argv[1], executor, progress=False).result()
"""
_RUNS, _WORKERS = 40, 2


def test_a_killed_launch_is_finished_by_the_next_which_repeats_only_what_had_no_end(tmp_path):
    script, notes = tmp_path / "script.py", tmp_path / "notes"
    script.write_text(SCRIPT)
    locator = f"sqlite://{tmp_path / 'results.db'}"
    command = [sys.executable, str(script), locator, str(notes)]
    with subprocess.Popen(command) as first:
        _until(lambda: notes.exists() and len(notes.read_text().split()) > 10)
        first.kill()
    done = {run.params["x"] for run in metalab.load_results(locator).successful}
    assert 0 < len(done) < _RUNS
    subprocess.run(command, check=True, timeout=120)
    results = metalab.load_results(locator)
    assert len(results.successful) == _RUNS
    begun = Counter(notes.read_text().split())
    assert set(begun) == {str(x) for x in range(_RUNS)}
    # Workers notice that their launch is gone, and end what they are at; that is repeated at most.
    assert sum(begun.values()) <= _RUNS + _WORKERS
    assert all(begun[str(x)] == 1 for x in done)
    with metalab.store.parse_to_config(locator).open() as store:
        assert store.scoped("noted:1").inspect().is_sound


def _until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
