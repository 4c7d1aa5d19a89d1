"""Databases: one connection to a store's file, for all threads of one process.

A commit is seen by other processes at once, and survives the death of this one; a durable
commit is written to the disk before it returns, together with all that was committed before it.
So what leads to a result costs no wait for the disk, and the result itself one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from metalab.errors import StoreError, StoreNotFoundError
from metalab_sqlite import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Database"]

Row = tuple[Any, ...]


class Database:
    """Reads and writes the file at a path; it is opened when it is first needed.

    ``timeout`` is for how many seconds a commit waits for those of others; without
    ``is_durable`` no commit waits for the disk. All methods raise StoreError in words.
    """

    def __init__(self, path: str, *, timeout: float, is_durable: bool) -> None:
        self.path = Path(path)
        self._timeout = timeout
        self._is_durable = is_durable
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []  # one, or none
        # Whoever forgets to close it leaves no connection behind.
        weakref.finalize(self, _close, self._connections)
        _databases.add(self)

    def make(self) -> None:
        """Make the file where there is none."""
        try:
            if not self.path.exists():
                schema.make(self.path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"no store can be made at {self.path}: {error}") from error

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return what a query finds."""
        with self._lock, self._explained():
            return self._connection().execute(statement, values).fetchall()

    @contextmanager
    def writing(self, experiment: str, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Commit what is executed within, for an experiment, which counts as kept from then on."""
        with self._lock, self._explained():
            connection = self._connection()
            level = "FULL" if durable and self._is_durable else "NORMAL"
            connection.execute(f"PRAGMA synchronous = {level}")
            # At once, for a reader that becomes a writer would have to begin anew.
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute("INSERT OR IGNORE INTO experiments VALUES (?)", (experiment,))
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def check_trusted(self) -> None:
        """Raise StoreError if another user may have written what would be executed."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read: {error}") from error
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise StoreError(
                f"{self.path} can be written by other users, and what another user wrote is not "
                "executed: let each have a store of their own"
            )

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        with self._lock:
            _close(self._connections)

    def _connection(self) -> sqlite3.Connection:
        if not self._connections:
            self._connections.append(self._open())
        return self._connections[0]

    def _open(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise StoreNotFoundError(f"there is no store at {self.path}")
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?{self._mode()}",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,  # transactions begin where it is written that they do
            check_same_thread=False,  # the lock sees to that
        )
        try:
            self._check(connection)
            connection.execute("PRAGMA fullfsync = ON")  # on macOS less than that is no sync
        except BaseException:
            connection.close()
            raise
        return connection

    def _mode(self) -> str:
        can_write_folder = os.access(self.path.parent, os.W_OK)
        if can_write_folder and os.access(self.path, os.W_OK):
            return "mode=rw"
        has_journal = self.path.with_name(f"{self.path.name}-wal").exists()
        # Where nobody can write, as on a mounted archive, SQLite must make no file beside it.
        return "mode=ro" if can_write_folder or has_journal else "mode=ro&immutable=1"

    def _check(self, connection: sqlite3.Connection) -> None:
        ((application,),) = connection.execute("PRAGMA application_id").fetchall()
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
        if application != schema.APPLICATION:
            raise StoreError(f"{self.path} is a database, but none of metalab's")
        if version > schema.VERSION:
            raise StoreError(
                f"{self.path} was made by a newer metalab-sqlite, of version {version} of its "
                f"tables; this one knows version {schema.VERSION}: upgrade it"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error

    # SQLite's connections must not be carried over a fork: they are closed before it.

    def _before_fork(self) -> None:
        self._lock.acquire()
        _close(self._connections)

    def _after_fork(self) -> None:
        self._lock.release()


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


def _before_fork() -> None:
    for database in list(_databases):
        database._before_fork()  # noqa: SLF001  one idea in two functions
        _forking.append(database)


def _after_fork() -> None:
    while _forking:
        _forking.pop()._after_fork()  # noqa: SLF001  as above


_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_forking: list[Database] = []
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
