"""The pool: a dask cluster as a ``concurrent.futures.Executor`` that keeps that class's word.

Dask makes such an executor, too, but its futures can be cancelled while they run, and count as
over then. Here a call that has been given to dask runs to its end, and is known to; so no more
are given to it than there are threads, and the rest waits where it can be cancelled.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from uuid import uuid4

from metalab_dask.once import call_once, forget

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

__all__ = ["DaskPool"]

_REMEMBERED = 64  # calls that are over
_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")


class DaskPool(Executor):
    """Keeps ``size`` calls at dask; raises RuntimeError for a call after ``shutdown``."""

    def __init__(self, client: Client, size: int) -> None:
        self._client: Any = client
        self._size = size
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._over: deque[str] = deque()
        self._begun = 0
        self._idle = threading.Event()
        self._idle.set()
        self._is_shut = False

    def submit(
        self,
        function: Callable[_Arguments, _Result],
        /,
        *args: _Arguments.args,
        **options: _Arguments.kwargs,
    ) -> Future[_Result]:
        """Have a function called by a worker; see ``concurrent.futures.Executor.submit``."""
        future: Future[_Result] = Future()
        with self._lock:
            if self._is_shut:
                raise RuntimeError("this pool was shut down")
            self._waiting.append((future, partial(function, *args, **options)))
            self._idle.clear()
        self._feed()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no further call; with ``wait``, return once those given are over."""
        with self._lock:
            self._is_shut = True
            waiting = list(self._waiting) if cancel_futures else []
        for future, _ in waiting:
            future.cancel()
        self._feed()
        if wait:
            self._idle.wait()
            self._forget(0)

    def _feed(self) -> None:
        """Give dask what it has room for, and pass over what was cancelled meanwhile."""
        while (given := self._next()) is not None:
            future, call = given
            try:
                name = f"metalab-{uuid4().hex}"
                task = self._client.submit(call_once, name, call, key=name)
                task.add_done_callback(partial(self._land, future))
            except Exception as error:  # noqa: BLE001  a client that is closed raises what it likes
                self._end(future, error=error)

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            while self._waiting and self._begun < self._size:
                future, call = self._waiting.popleft()
                if future.set_running_or_notify_cancel():
                    self._begun += 1
                    return future, call
            if not (self._waiting or self._begun):
                self._idle.set()
            return None

    def _land(self, future: Future[Any], task: Any) -> None:
        try:
            result = task.result()
        except CancelledError:  # nobody here did that: what has become of the call is not known
            self._end(future, error=RuntimeError("dask has let go of it, as at a restart"))
        except BaseException as error:  # noqa: BLE001  whatever was raised is the caller's
            self._end(future, error=error)
        else:
            self._end(future, result)
        task.release()
        with self._lock:
            self._over.append(task.key)
        self._forget(_REMEMBERED)
        self._feed()

    def _forget(self, but: int) -> None:
        """Have the scheduler forget the calls that are over, but for the last ones.

        It may hear of a worker's death before it hears that a result is wanted no more.
        """
        while True:
            with self._lock:
                if len(self._over) <= but:
                    return
                name = self._over.popleft()
            with suppress(Exception):  # where the scheduler is gone, so is what it knew
                forget(name, self._client)

    def _end(
        self, future: Future[Any], result: Any = None, *, error: BaseException | None = None
    ) -> None:
        with self._lock:
            self._begun -= 1
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
