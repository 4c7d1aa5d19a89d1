"""What floors and metalab share on a cluster: a clock that starts at a tick, and counted calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["align", "count_calls", "counted_calls"]

_COMMANDS = ("sbatch", "scancel", "scontrol", "squeue", "sacct")
_CALLS = "calls.log"
_LONGEST = 60.0
_ENDING = 0.15


def align(folder: Path) -> None:
    """Return soon after the controller has started jobs, which it does about once a second.

    What is submitted now waits for the next turn: luck with that would decide between samples.
    The end of a job is a turn, too, and so it is waited for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begun = folder / "begun"
    options = ["--mem=10M", "--time=1", "--output=/dev/null", f"--wrap=touch {begun}"]
    subprocess.run(["sbatch", *options], check=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + _LONGEST
    while not begun.exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"no job of the cluster has begun within {_LONGEST:g} s")
        time.sleep(0.005)
    time.sleep(_ENDING)


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
