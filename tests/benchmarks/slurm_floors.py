"""The floors on a cluster: arrays that a careful user writes by hand and submits with sbatch.

Their tasks start an interpreter without site-packages, and keep each run as one file, put in
place by renaming it. Nothing is synced, watched, retried or claimed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from benchmarks.slurm_work import align
from benchmarks.work import PILOTS, Work, sweep

if TYPE_CHECKING:
    from collections.abc import Callable

_TASK = Path(__file__).resolve().parent / "scripts" / "slurm_task.py"
_LOOK_EVERY = 0.02
_LONGEST = 600.0


def tasks(work: Work) -> Callable[[], int]:
    """W7: one array, one run a task."""
    return _array(work, work.runs)


def chunks(work: Work) -> Callable[[], int]:
    """W7: one array of as many tasks as metalab has pilots, each of which loops over its part."""
    return _array(work, min(PILOTS, work.runs))


def _array(work: Work, parts: int) -> Callable[[], int]:
    for name in ("aside", "records"):
        (work.folder / name).mkdir(parents=True)
    (work.folder / "sweep.json").write_text(json.dumps([work.runs, sweep(work.runs)]))
    command = join([sys.executable, "-S", str(_TASK), str(work.folder), str(parts)])
    script = work.folder / "job.sh"
    script.write_text(f"#!/bin/sh\nexec {command}\n")
    align(work.folder)
    options = [f"--array=0-{parts - 1}", "--mem=300M", "--time=10", "--output=/dev/null"]

    def phase() -> int:
        subprocess.run(["sbatch", *options, str(script)], check=True, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _LONGEST
        while (ended := len(os.listdir(work.folder / "records"))) < work.runs:  # noqa: PTH208  names are enough
            if time.monotonic() > deadline:
                break
            time.sleep(_LOOK_EVERY)
        return ended

    return phase
