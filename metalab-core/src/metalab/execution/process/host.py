"""What the operating system does for worker processes, in one place.

A worker ends with the process that started it, also where an operation never gives the
interpreter back; what it leaves behind is told in words.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
import tempfile
from typing import Any

try:
    import fcntl
    import resource
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    resource = None  # type: ignore[assignment]

__all__ = [
    "DUMP",
    "anonymous_file",
    "cut",
    "described_end",
    "end_group",
    "end_with",
    "has_processes",
    "lifeline",
    "limit_memory",
    "shared_memory",
]


DUMP: int = getattr(signal, "SIGRTMAX", 0) or getattr(signal, "SIGUSR2", 0)
"""The signal at which a worker writes down where all of its threads are."""


def has_processes() -> bool:
    """Tell whether this platform has what worker processes need."""
    return fcntl is not None


def anonymous_file(name: str) -> int:
    """Return the descriptor of a new file without a name, in memory where the platform can."""
    if sys.platform == "linux":
        return os.memfd_create(name)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def shared_memory(descriptor: int, size: int) -> mmap.mmap:
    """Map the first bytes of a file, for reading and writing, so that all who map it share them."""
    if os.fstat(descriptor).st_size < size:
        os.ftruncate(descriptor, size)
    return mmap.mmap(descriptor, size)


_held: set[int] = set()


def lifeline() -> tuple[int, int]:
    """Return the ends of a pipe, the second of which no child keeps that this process forks."""
    theirs, ours = os.pipe()
    _held.add(ours)
    return theirs, ours


def cut(descriptor: int) -> None:
    """Close this process's end of a lifeline."""
    _held.discard(descriptor)
    os.close(descriptor)


def _cut_all() -> None:
    # A child may outlive its parent, whose workers must not.
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_cut_all)


def end_with(lifeline: int) -> None:
    """Have this process, and those it starts, end when the other end of a pipe is closed.

    The kernel sees to it: no code of this process need run. Where it cannot be asked for,
    whoever reads the pipe has to.
    """
    signal_of = getattr(fcntl, "F_SETSIG", None)
    if signal_of is None:
        return
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, signal_of, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)


def end_group(pid: int) -> None:
    """Kill a process that leads a group, with its group."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # it is gone, or a zombie (macOS)
        return


def limit_memory(size: int | None) -> None:
    """Let this process have so many bytes of memory of its own; None lifts the limit."""
    if resource is None:
        return
    # Data counts what can be written; address space, what is mapped for reading as well.
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (hard if size is None else _least(size, hard), hard))


def _least(size: int, hard: int) -> int:
    return size if hard == resource.RLIM_INFINITY else min(size, hard)


def described_end(status: int) -> str:
    """Say how a process ended, from its exit code as ``subprocess`` gives it."""
    if status >= 0:
        return f"exited with status {status}"
    return f"was ended by {_signal_name(-status)}"


def _signal_name(number: int) -> str:
    try:
        name: Any = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    hint = _HINTS.get(name)
    return f"{name} ({hint})" if hint else name


_HINTS = {
    "SIGABRT": "it aborted itself",
    "SIGBUS": "a bad memory access",
    "SIGFPE": "a bad arithmetic operation",
    "SIGILL": "an instruction that this processor lacks",
    "SIGKILL": "by hand, or by a system that ran out of memory",
    "SIGSEGV": "a bad memory access",
}
