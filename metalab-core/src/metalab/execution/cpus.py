"""How many CPUs this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

from metalab.seeds import whole_number

__all__ = ["usable_cpus", "worker_count"]

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def worker_count(max_workers: int | None) -> int:
    """Read how many workers a user wants; None is one for each CPU that this process may use.

    Raises ValueError for fewer than one, TypeError for what is no whole number.
    """
    if max_workers is None:
        return usable_cpus()
    count = whole_number(max_workers, "max_workers")
    if count < 1:
        raise ValueError(f"max_workers={max_workers}: an executor needs at least one worker")
    return count


def usable_cpus() -> int:
    """Count the CPUs that this process may use: those it is bound to, within its quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, math.ceil(min(bound or 1, _quota())))


def _quota() -> float:
    """Return how many CPUs' time the control groups of this process allow it; infinity if all."""
    try:
        lines = _OWN_GROUP.read_text().splitlines()
    except OSError:  # another platform
        return math.inf
    quotas = [_quota_v1()]
    for line in lines:
        number, _, rest = line.partition(":")
        if number == "0":  # version 2; a group is bounded by those above it, too
            group = _GROUPS / rest.partition(":")[2].lstrip("/")
            quotas += [_quota_v2(each) for each in (group, *group.parents)]
    return min(quotas)


def _quota_v2(group: Path) -> float:
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _quota_v1() -> float:
    try:
        quota = int((_GROUPS / "cpu" / "cpu.cfs_quota_us").read_text())
        period = int((_GROUPS / "cpu" / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
