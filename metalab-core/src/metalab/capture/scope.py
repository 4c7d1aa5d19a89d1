"""Which run the calling thread works for, so that lines of shared loggers find their run."""

from __future__ import annotations

import threading
from contextvars import ContextVar

__all__ = ["enter", "leave", "owner"]

_entered: ContextVar[object | None] = ContextVar("metalab_run", default=None)
_active: set[object] = set()


def enter(run: object) -> object | None:
    """Let the calling context work for the run; returns what it worked for before."""
    before = _entered.get()
    _entered.set(run)
    _active.add(run)
    return before


def leave(run: object, before: object | None) -> None:
    """End what ``enter`` began. Contexts derived from the run's own no longer count for it."""
    _active.discard(run)
    if _entered.get() is run:
        _entered.set(before)


def owner() -> object | None:
    """Return the run that the calling thread works for, or None if that is not certain.

    That is the run whose context (or a copy of it) the thread is in. A thread that was
    started without a copy of any context, as ``threading.Thread`` does, belongs to the only
    run there is; with several runs at a time nothing tells whose it is. The main thread is
    never a thread that an operation started.
    """
    run = _entered.get()
    if run in _active:
        return run
    active = tuple(_active)
    if len(active) == 1 and not is_main_thread():
        return active[0]
    return None


def is_main_thread() -> bool:
    """Tell whether the calling thread is the one that the process began with."""
    return threading.current_thread() is threading.main_thread()
