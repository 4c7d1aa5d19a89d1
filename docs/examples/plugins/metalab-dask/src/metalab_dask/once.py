"""Calls that dask shall not repeat.

Dask keeps results with its workers, and computes those of a worker that died again: it is made
for functions that may be called twice. A chunk of runs may not. So whoever begins a call says so
to the scheduler, and whoever finds that it was begun leaves it; metalab looks in the store for
what the first has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

__all__ = ["RepeatedError", "call_once", "forget"]


class RepeatedError(RuntimeError):
    """A call was begun by another worker, which has died since, or lost its result."""


def call_once(name: str, call: Callable[[], Any]) -> Any:
    """Call a function in a worker, unless that was begun under the same name before."""
    begun = _mark(name)
    if begun.is_set():
        raise RepeatedError("the worker that began it has died")
    begun.set()
    return call()


def forget(name: str, client: Client) -> None:
    """Have the scheduler forget a call that is over."""
    _mark(name, client).clear()


def _mark(name: str, client: Client | None = None) -> Any:
    from distributed import Event  # noqa: PLC0415  as in metalab_dask.executor

    # The scheduler keeps it, and tells everybody who asks by this name.
    return Event(name, client=client)  # type: ignore[no-untyped-call, unused-ignore]
