"""What floors and metalab share on a cluster: a clock that starts at a tick, and counted calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["align", "count_calls", "counted_calls"]

_COMMANDS = ("sbatch", "scancel", "scontrol", "squeue", "sacct")
_CALLS = "calls.log"
_LONGEST = 60.0


def align(folder: Path) -> None:
    """Return soon after the controller has started jobs, which it does about once a second.

    What is submitted now waits for the next turn: luck with that would decide between samples.
    A job that ends brings a turn about, too, so that none may be left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begun = folder / "begun"
    _wait_for(_is_idle)
    options = ["--mem=10M", "--time=1", "--output=/dev/null", f"--wrap=touch {begun}"]
    subprocess.run(["sbatch", *options], check=True, stdout=subprocess.DEVNULL)
    _wait_for(begun.exists)
    _wait_for(_is_idle)


def _is_idle() -> bool:
    """Tell whether no job runs or ends; those that are held do neither."""
    states = "RUNNING,COMPLETING"
    return not subprocess.check_output(["squeue", "--noheader", f"--states={states}"])


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"the cluster's jobs do not begin or end within {_LONGEST:g} s")
        time.sleep(0.005)


def count_calls(folder: Path) -> None:
    """Have Slurm's commands, called by this process or by its jobs, note their names there."""
    shims = folder / "commands"
    shims.mkdir(parents=True, exist_ok=True)
    for name in _COMMANDS:
        if real := shutil.which(name):
            shim = shims / name
            shim.write_text(f'#!/bin/sh\necho {name} >>"{folder / _CALLS}"\nexec "{real}" "$@"\n')
            shim.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join((str(shims), os.environ["PATH"]))


def counted_calls(folder: Path) -> Counter[str]:
    """Return how often each command was called."""
    return Counter((folder / _CALLS).read_text().split())
