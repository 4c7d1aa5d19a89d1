"""Lookups: counts, ids and single runs, which the columns of the index tell without values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.records import Status
from metalab.store.reading import RunState
from metalab_postgres.fetching import Reader

if TYPE_CHECKING:
    from collections.abc import Collection

    from psycopg import Cursor

__all__ = ["ids_done", "ids_with_prefix", "state_of", "status_counts"]

_ID = 32
_RUNS = "FROM runs WHERE exp = %s AND rank >= 0"
_COUNTS = f"SELECT status, count(*) {_RUNS} GROUP BY status"
_IDS = f"SELECT coalesce(string_agg(run_id, ''), '') {_RUNS} AND status = ANY(%s)"
# By the bounds of the prefix, which the primary key's index understands.
_PREFIX = f"SELECT run_id {_RUNS} AND run_id >= %s AND run_id < %s ORDER BY run_id LIMIT %s"
_STATE = f"SELECT status, epoch, attempt, code {_RUNS} AND run_id = %s"
_HEX = frozenset("0123456789abcdef")


def status_counts(cursor: Cursor[Any], experiment_id: str) -> dict[Status, int]:
    """Count the runs that have a record by their status."""
    cursor.execute(_COUNTS, [Reader.of(cursor, experiment_id).exp])
    found = dict(cursor.fetchall())
    return {status: found[status.value] for status in Status if status.value in found}


def ids_done(
    cursor: Cursor[Any], experiment_id: str, statuses: Collection[Status] = (Status.SUCCESS,)
) -> set[str]:
    """Return the ids of the runs with certain statuses."""
    words = [status.value for status in statuses]
    cursor.execute(_IDS, [Reader.of(cursor, experiment_id).exp, words])
    (text,) = cursor.fetchone() or ("",)
    return {text[place : place + _ID] for place in range(0, len(text), _ID)}


def ids_with_prefix(
    cursor: Cursor[Any], experiment_id: str, prefix: str, limit: int = 2
) -> list[str]:
    """Return the first ids that begin so; two tell whether there is one alone."""
    if not _HEX.issuperset(prefix):
        return []
    exp = Reader.of(cursor, experiment_id).exp
    cursor.execute(_PREFIX, [exp, prefix, f"{prefix}g", limit])  # g follows f
    return [row[0] for row in cursor.fetchall()]


def state_of(cursor: Cursor[Any], experiment_id: str, run_id: str) -> RunState | None:
    """Return what resuming must know of a run, or None if it has no record."""
    if len(run_id) != _ID or not _HEX.issuperset(run_id):
        return None
    cursor.execute(_STATE, [Reader.of(cursor, experiment_id).exp, run_id])
    found = cursor.fetchone()
    if found is None:
        return None
    status, epoch, attempt, code = found
    return RunState(Status(status), epoch, attempt, code)
