"""Who this process is, in words that another process can check later."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = [
    "host_name",
    "is_alive",
    "is_running",
    "metalab_version",
    "process_identity",
    "this_moment",
]

_PROC = Path("/proc")
_GONE = "ZX"  # states: a zombie, and what is being removed


def host_name() -> str:
    """Return this machine's name."""
    return platform.node() or "localhost"


def process_identity() -> dict[str, str | int | None]:
    """Describe this process, so that it is told from all others.

    ``host`` is the machine's name, ``boot`` an id of the time since it was started, ``pid`` the
    process's number, ``pid_ns`` the namespace in which that number counts, ``pid_start`` the
    clock tick since the start of the machine at which the process began. ``boot``, ``pid_ns``
    and ``pid_start`` are None where a platform does not tell: outside Linux, or without /proc.
    Nothing is known of a process unless host, boot and namespace are one's own, and not None.
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
        # A process names itself, in whatever bytes it likes.
        return (_PROC / name).read_bytes().decode("utf-8", "replace").strip()
    except OSError:
        return None


def is_alive(pid: int) -> bool:
    """Tell whether a process of this machine is there, and no zombie."""
    status = _status_of(pid)
    return _is_hidden(pid) if status is None else status[0] not in _GONE


def is_running(pid: object, start: object) -> bool:
    """Tell whether the process of this machine that began at a tick still runs.

    The tick is its ``pid_start``. A process that /proc does not show counts if the number is
    in use.
    """
    if not isinstance(pid, int) or pid <= 0:
        return False
    status = _status_of(pid)
    if status is None:
        return _is_hidden(pid)
    # A zombie has been killed, and waits for nothing but its parent's attention.
    return status[0] not in _GONE and int(status[19]) == start


def _is_hidden(pid: int) -> bool:
    """Tell whether a process is there that /proc does not show: another user's may be hidden."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _pid_start() -> int | None:
    """Return the clock tick since boot at which this process began."""
    status = _status_of("self")
    return None if status is None else int(status[19])


def _status_of(process: int | str) -> list[str] | None:
    """Return the fields of /proc/<pid>/stat from the state on."""
    text = _read(f"{process}/stat")
    # The second field is the command in parentheses and may itself hold blanks and ")".
    return None if text is None else text.rpartition(")")[2].split()


def _pid_namespace() -> str | None:
    try:
        return str((_PROC / "self" / "ns" / "pid").readlink())
    except OSError:
        return None
