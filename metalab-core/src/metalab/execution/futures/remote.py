"""Where a pool's call arrives: the sessions of this process, kept from chunk to chunk.

A session is closed when no chunk of its launch has come for a few seconds, and when the
process ends in order.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from metalab.errors import StoreError
from metalab.execution.departure import before_exit
from metalab.execution.futures.session import RemoteSession
from metalab.execution.futures.ticket import Address, Answer, Ticket
from metalab.execution.refusal import described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metalab.execution.futures.session import LocalSession

__all__ = ["SESSIONS", "Sessions", "serve"]

_LOG = logging.getLogger(__name__)
_IDLE = 5.0
_LOOK_EVERY = 1.0


class Sessions:
    """The launches that this process takes part in, and those that it has submitted itself."""

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):
            # A forked child has neither the threads nor the claims of its parent.
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._own: dict[str, LocalSession] = {}
        self._open: dict[Address, RemoteSession] = {}
        self._sweeper: threading.Thread | None = None
        self._is_registered = False

    def add(self, token: str, session: LocalSession) -> None:
        """Have the chunks of a launch of this process done without sending anything."""
        self._own[token] = session

    def remove(self, token: str) -> None:
        """Forget a launch of this process."""
        self._own.pop(token, None)

    def do(self, ticket: Ticket) -> Answer:
        """Do a chunk, in the session of its launch."""
        own = self._own.get(ticket.address.token)
        if own is not None:
            return own.do(ticket)
        with self._lent(ticket.address) as session:
            return session.do(ticket)

    @contextmanager
    def _lent(self, address: Address) -> Iterator[RemoteSession]:
        with self._lock:
            session = self._open.get(address)
            if session is None:
                session = self._open[address] = RemoteSession(address)
                self._watch()
            session.users += 1
        try:
            yield session
        finally:
            with self._lock:
                session.users -= 1
                session.since = time.monotonic()

    def _watch(self) -> None:
        if not self._is_registered:
            self._is_registered = before_exit(self.close_idle)
        if self._sweeper is None:
            self._sweeper = threading.Thread(
                target=self._sweep, name="metalab-sessions", daemon=True
            )
            self._sweeper.start()

    def _sweep(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY)
            self.close_idle(_IDLE)
            with self._lock:
                if not self._open:
                    self._sweeper = None
                    return

    def close_idle(self, seconds: float = 0.0) -> None:
        """Close the sessions that were not used for so long."""
        latest = time.monotonic() - seconds
        with self._lock:
            idle = [a for a, s in self._open.items() if not s.users and s.since <= latest]
            sessions = [self._open.pop(address) for address in idle]
        for session in sessions:
            try:
                session.close()
            except StoreError as error:  # nothing is lost: chunks are durable once answered
                _LOG.warning("a segment could not be closed: %s", error)


SESSIONS = Sessions()


def serve(ticket: Ticket) -> Answer:
    """Do a chunk in whatever process a pool calls this; what is wrong is part of the answer."""
    try:
        return SESSIONS.do(ticket)
    except Exception as error:  # noqa: BLE001  an import of the user's modules may raise anything
        return Answer(refused=described(error))
