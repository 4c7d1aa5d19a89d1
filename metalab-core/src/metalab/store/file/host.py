"""Who this process is, in words that another process can check later."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["host_name", "metalab_version", "process_identity", "this_moment"]

_PROC = Path("/proc")


def host_name() -> str:
    """Return this machine's name."""
    return platform.node() or "localhost"


def process_identity() -> dict[str, str | int | None]:
    """Describe this process: host, boot, pid, when the pid began, and the pid's namespace.

    What a platform does not tell is None.
    """
    return {
        "host": host_name(),
        "boot": _read("sys/kernel/random/boot_id"),
        "pid": os.getpid(),
        "pid_start": _pid_start(),
        "pid_ns": _pid_namespace(),
    }


@cache
def metalab_version() -> str:
    """Return the version of metalab-core, ``0+source`` where it is not installed."""
    try:
        return version("metalab-core")
    except PackageNotFoundError:
        return "0+source"


def this_moment() -> str:
    """Return the time now, in UTC, as lines tell it."""
    return f"{datetime.now(UTC).isoformat(timespec='microseconds')[:-6]}Z"


def _read(name: str) -> str | None:
    try:
        return (_PROC / name).read_text(encoding="ascii").strip()
    except OSError:
        return None


def _pid_start() -> int | None:
    """Return the clock tick since boot at which this process began."""
    status = _read("self/stat")
    if status is None:
        return None
    # The second field is the command in parentheses and may itself hold blanks and ")".
    return int(status.rpartition(")")[2].split()[19])


def _pid_namespace() -> str | None:
    try:
        return str((_PROC / "self" / "ns" / "pid").readlink())
    except OSError:
        return None
