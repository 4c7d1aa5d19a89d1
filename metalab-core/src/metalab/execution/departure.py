"""Leaving: Ctrl-C while runs are under way, and scripts that end before their runs do."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING

from metalab.progress.board import clear_boards
from metalab.progress.surroundings import Surroundings, is_test

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab.execution.base import Submission

__all__ = ["announce", "before_exit", "come_first", "keep_open", "release", "stop_after_interrupt"]

_EXIT_STATUS = 128 + 2  # what a shell reports of a process that SIGINT ended

_open: list[Submission] = []
_registered = threading.Lock()
_watching = False
_is_finished = False


def come_first() -> None:
    """Have open launches waited for before what was registered for the exit earlier than this.

    A pool that they need may be among that.
    """
    before_exit(_finish_open)


def keep_open(submission: Submission) -> None:
    """Have the interpreter wait for a submission before it shuts down."""
    with _registered:
        _open.append(submission)
        _watch()


def _watch() -> None:
    global _watching  # noqa: PLW0603  one hook for the life of the process
    # Where the interpreter is shutting down, the launch is its caller's to wait for.
    if not _watching and before_exit(_finish_open):
        _watching = True
        atexit.register(_stop_unfinished)


def before_exit(callback: Callable[[], object]) -> bool:
    """Have a callback called before the interpreter shuts down; False if it does so already.

    Those registered last are called first.
    """
    try:
        # atexit is too late: by then threads may no longer be started, and the commit
        # thread of a store may have to. concurrent.futures uses the same hook.
        threading._register_atexit(callback)  # type: ignore[attr-defined]  # noqa: SLF001
    except RuntimeError:
        return False
    return True


def _forget() -> None:
    # A forked child has none of its parent's threads: it would wait for runs that nobody executes.
    global _registered  # noqa: PLW0603  the parent's lock may be held by a thread left behind
    _registered = threading.Lock()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def release(submission: Submission) -> None:
    """Forget a submission that is over."""
    with _registered:
        if submission in _open:
            _open.remove(submission)


def stop_after_interrupt(submission: Submission) -> None:
    """Stop a submission after the first Ctrl-C and wait for the runs under way.

    A second Ctrl-C makes durable what was finished and ends the process with status 130;
    in a notebook it returns instead and leaves the runs to themselves. One that goes on
    elsewhere is let go.
    """
    if submission.is_detached:
        _say("detached: the runs go on; metalab watch follows them, metalab cancel ends them")
        return
    submission.cancel()
    if submission.wait(0.1):
        return
    try:
        _say("stopping: the runs under way are finished first; press Ctrl-C again to leave at once")
        submission.wait()
    except KeyboardInterrupt:
        if "ipykernel" in sys.modules:
            _say("detached: the runs under way go on in the background")
            return
        _leave()


def announce(words: str) -> None:
    """Say on a terminal that a launch goes on elsewhere; whoever reads a file has its handle."""
    if sys.stderr is None or sys.stderr.closed or is_test():
        return
    if Surroundings.of(None).live:
        sys.stderr.write(f"metalab: {words}\n")
        sys.stderr.flush()


def _finish_open() -> None:
    global _is_finished  # noqa: PLW0603  as above
    try:
        # A Ctrl-C that ended the script is meant for its runs as well.
        if getattr(sys, "last_type", None) is KeyboardInterrupt:
            _stop_open()
        else:
            for submission in _open.copy():  # each leaves the list as it ends
                submission.wait()
    except KeyboardInterrupt:
        _stop_open()
        _leave()
    _is_finished = True


def _stop_unfinished() -> None:
    # A Ctrl-C just as the interpreter begins to shut down ends that step of it, and with it
    # whatever was to be called there: nobody has waited for the launches, nor stopped them.
    if _open and not _is_finished:
        _stop_open()
        _leave()


def _stop_open() -> None:
    for submission in _open.copy():
        stop_after_interrupt(submission)


def _leave() -> None:
    for submission in _open:
        submission.secure()
    clear_boards()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_EXIT_STATUS)


def _say(text: str) -> None:
    sys.stderr.write(f"\nmetalab: {text}\n")
    sys.stderr.flush()
