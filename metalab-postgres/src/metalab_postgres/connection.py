"""The connection of a process to a database: one at most, made when needed, closed when idle.

Workers of a launch never ask for one: they write files.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from metalab_postgres.trouble import IndexUnavailable, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from metalab_postgres.dsn import Dsn

__all__ = ["Link", "link_to"]

_IDLE = 30.0
_TIMEOUT = 5
_PATIENCE = 20  # how many times as long as a long vain attempt took no other is made
_LONGEST_PAUSE = 60.0
_LONG = 1.0

_links: dict[Dsn, Link] = {}
_lock = threading.Lock()
_inherited: list[object] = []


class Link:
    """A database, and this process's connection to it while there is one.

    ``session`` may be called from any thread; one at a time has the connection.
    """

    def __init__(self, dsn: Dsn, *, idle: float = _IDLE) -> None:
        self.dsn = dsn
        self._idle = idle
        self._lock = threading.RLock()
        self._connection: Connection[Any] | None = None
        self._timer: threading.Timer | None = None
        self._until = 0.0
        self._trouble = ""

    def __repr__(self) -> str:
        return f"Link({str(self.dsn)!r})"

    @contextmanager
    def session(self) -> Iterator[Connection[Any]]:
        """Lend the connection, in autocommit mode; raises IndexUnavailable, whatever goes wrong.

        After an error the connection is looked at, and closed if it is broken.
        """
        with translated(str(self.dsn)), self.raw_session() as connection:
            yield connection

    @contextmanager
    def raw_session(self) -> Iterator[Connection[Any]]:
        """Lend the connection as ``session`` does, for who looks at psycopg's own errors."""
        with self._lock:
            self._stop_timer()
            connection = self._open()
            try:
                yield connection
            finally:
                if connection.closed:
                    self._connection = None
                elif connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    # Its user left in the middle of something: nobody else may go on there.
                    self.close()
                else:
                    self._start_timer()

    def another(self) -> Connection[Any]:
        """Return a connection of its caller's own, who closes it; for parallel rebuilding."""
        # What stands in a connection string goes before libpq's variables.
        patience = {} if "PGCONNECT_TIMEOUT" in os.environ else {"connect_timeout": _TIMEOUT}
        connection = psycopg.connect(
            self.dsn.conninfo(fallback_application_name="metalab", **patience),
            autocommit=True,
            # A prepared plan may be one made for other settings and statistics.
            prepare_threshold=None,
        )
        # A crash of the server takes the end of the rows and the watermark behind them together.
        connection.execute("SET synchronous_commit TO off")
        connection.execute("SET jit TO off")  # compiling takes longer than what it is for
        return connection

    def close(self) -> None:
        """Close the connection, if there is one; the next session opens another."""
        with self._lock:
            self._stop_timer()
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _open(self) -> Connection[Any]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        began = time.monotonic()
        if began < self._until:
            raise IndexUnavailable(self._trouble)
        try:
            with translated(str(self.dsn)):
                self._connection = self.another()
        except IndexUnavailable as error:
            # A host that does not answer would hold up every query for seconds.
            spent = time.monotonic() - began
            pause = min(_PATIENCE * spent, _LONGEST_PAUSE) if spent > _LONG else 0.0
            self._until = time.monotonic() + pause
            self._trouble = str(error)
            raise
        return self._connection

    def _start_timer(self) -> None:
        timer = threading.Timer(self._idle, self._close_if_idle)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # the interpreter is shutting down, and closes it itself
            return
        self._timer = timer

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_if_idle(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                if self._timer is threading.current_thread():
                    self.close()
            finally:
                self._lock.release()

    def _forget(self) -> None:
        """Begin anew in a forked process: the connection and the lock are the parent's."""
        _inherited.append(self._connection)  # closing it would end the parent's session
        self._lock = threading.RLock()
        self._connection = self._timer = None


def link_to(dsn: Dsn) -> Link:
    """Return this process's link to a database."""
    with _lock:
        return _links.setdefault(dsn, Link(dsn)) if dsn not in _links else _links[dsn]


def _after_fork() -> None:
    global _lock  # noqa: PLW0603  the parent's may be held by a thread that is not here
    _lock = threading.Lock()
    for link in _links.values():
        link._forget()  # noqa: SLF001  of this module


def _close_all() -> None:
    for link in list(_links.values()):
        link.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)
