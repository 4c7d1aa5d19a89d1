"""Liveness: what a writer says of its process, and what others conclude from it.

SQLite's journal is shared memory, so all who use a file are processes of one machine: whether
one of them is at work is seen from the machine alone, without a heartbeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.store.causes import Cause
from metalab.store.claiming import Ending
from metalab.store.host import is_running, process_identity

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from metalab_sqlite.database import Database

__all__ = ["ending_of", "introduce", "say_closed", "sync"]


_INTRODUCED = """
INSERT OR IGNORE INTO writers (name, experiment, executor, owner, boot, pid_ns, pid, pid_start)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_TOLD = """
SELECT closed, executor, owner, boot, pid_ns, pid, pid_start FROM writers WHERE name = ?
"""


def introduce(
    connection: sqlite3.Connection, experiment: str, name: str, executor: str, owner: str
) -> None:
    """Say which process a writer is in."""
    me = process_identity()
    process = (me["boot"], me["pid_ns"], me["pid"], me["pid_start"])
    connection.execute(_INTRODUCED, (name, experiment, executor, owner, *process))


def say_closed(connection: sqlite3.Connection, name: str) -> None:
    """Say that a writer has ended in order."""
    connection.execute("UPDATE writers SET closed = 1 WHERE name = ?", (name,))


def sync(connection: sqlite3.Connection, name: str) -> None:
    """Change what a durable commit then writes to the disk, with all that was there before."""
    connection.execute("UPDATE writers SET syncs = syncs + 1 WHERE name = ?", (name,))


def ending_of(
    database: Database, writer: str, ask: Callable[[str, str], Ending | bool | None]
) -> Ending | None:
    """Return how a writer ended, or None if it may still be at work.

    One that is not known has never written, or was copied from elsewhere.
    """
    found = database.rows(_TOLD, (writer,))
    if not found or found[0][0]:
        return Ending("closed")
    _, executor, owner, boot, namespace, pid, start = found[0]
    here = process_identity()
    is_same_boot = boot == here["boot"]
    if is_same_boot and (namespace != here["pid_ns"] or is_running(pid, start)):
        return None  # of another container's processes nothing is known
    said = ask(executor, owner) if executor and owner else None
    if said is True:
        return None
    return (
        said if isinstance(said, Ending) else Ending(Cause.KILLED if is_same_boot else Cause.GONE)
    )
