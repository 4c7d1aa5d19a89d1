"""One phase in this fresh process: what it costs is printed as one JSON line.

``python -m benchmarks.child MODULE:FUNCTION RUNS FOLDER SECONDS``. The function prepares
(imports, definitions, pools) and returns what is measured, which returns the number of runs it
dealt with.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.work import Work


def measure(phase: str, work: Work) -> dict[str, float]:
    """Return CPU and wall seconds of a phase, and the process's memory before and at its peak."""
    module, _, name = phase.partition(":")
    timed = getattr(import_module(f"benchmarks.{module}"), name)(work)
    gc.collect()
    before = memory_mb("VmRSS")
    cpu, wall = cpu_seconds(), time.perf_counter()
    runs = timed()
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    if runs != work.runs:
        raise SystemExit(f"{phase} dealt with {runs} of {work.runs} runs")
    return {"cpu": cpu, "wall": wall, "before_mb": before, "peak_mb": memory_mb("VmHWM")}


def cpu_seconds() -> float:
    """Return user and system time of this process, all its threads and its ended children."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def memory_mb(field: str) -> float:
    """Return VmRSS (now) or VmHWM (the peak) of this process; elsewhere than on Linux, the peak.

    ru_maxrss would also count the process from which this one was forked.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    (line,) = (line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    name, runs, folder, seconds = sys.argv[1:]
    print(json.dumps(measure(name, Work(int(runs), Path(folder), float(seconds)))))
