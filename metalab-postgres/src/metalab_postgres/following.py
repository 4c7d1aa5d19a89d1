"""Following a launch: a thread of the process that launched keeps the index up to date."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metalab_postgres.config import PostgresStoreConfig

__all__ = ["Follower"]

_JOIN = 30.0


class Follower:
    """Indexes what a store's launches write, until it is stopped; then once more.

    A database in trouble is told of once, and never holds a launch up: the thread is a daemon,
    and what it has not indexed is indexed by whoever asks next.
    """

    def __init__(self, config: PostgresStoreConfig) -> None:
        self._config = config
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_follow, args=(config, self._stop), name="metalab-index", daemon=True
        )
        self._thread.start()
        # By then all runs have ended: metalab waits for them when the interpreter shuts down.
        atexit.register(self.stop)

    def stop(self) -> None:
        """Index what is there now, and end; waits for that, but not for ever."""
        self._stop.set()
        atexit.unregister(self.stop)
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN)

    @property
    def is_alive(self) -> bool:
        """Whether it still follows."""
        return self._thread.is_alive() and not self._stop.is_set()


def _follow(config: PostgresStoreConfig, stop: threading.Event) -> None:
    from metalab_postgres.index import PostgresIndex  # noqa: PLC0415  a launch begins without it

    index = PostgresIndex(config)
    try:
        index.follow(stop)
    finally:
        index.close()
