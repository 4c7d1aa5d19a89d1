"""Making the index anew, beside the old one, with several connections at once."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import attrs
from psycopg import errors, sql

from metalab_postgres import schema as schemas
from metalab_postgres.changes import BeyondRepairError, segments, size_of
from metalab_postgres.fieldindexes import index_statement, metric_indexes, remember_metric_index
from metalab_postgres.ingestion import Ingestion, Overtaken
from metalab_postgres.migrations import enter, is_current, lock, migrate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from psycopg import Connection, Cursor

    from metalab.store.indexing import OnProgress
    from metalab_postgres.connection import Link

__all__ = ["rebuild"]

_LATER = ("runs_status", "runs_params")
_BESIDE = "~"
_PATIENCE = 30.0  # seconds for which a moment without readers is waited for
_PAUSE = 0.01


def rebuild(
    link: Link,
    schema: str,
    store_id: str,
    experiments: Sequence[tuple[str, Path]],
    processes: int,
    on_progress: OnProgress | None = None,
) -> int:
    """Read all experiments into a new schema, then let it take the place of the old one."""
    new = f"{schema}{_BESIDE}{secrets.token_hex(4)}"
    with closing(link.another()) as connection:
        _refuse_strangers(connection, schema, store_id)
        _drop_left_behind(connection, schema)
        _hold(connection, new)
        try:
            migrate(connection, new, store_id)
            meter = _Meter.of(experiments, on_progress)
            lines = _Filling(link, connection, new, schema, meter).fill(experiments, processes)
            _swap(connection, schema, new)
        except BaseException:  # Ctrl-C, too, leaves nothing half-made behind
            # What is left behind is in nobody's way, and the next rebuild drops it.
            with suppress(Exception):  # the connection may be what failed
                connection.rollback()
                _drop(connection, new)
            raise
    return lines


@attrs.define
class _Meter:
    """Tells how much of all that there is to read has been read."""

    on_progress: OnProgress | None
    total: int
    done: int = 0
    lock: threading.Lock = attrs.Factory(threading.Lock)

    @classmethod
    def of(cls, experiments: Sequence[tuple[str, Path]], on_progress: OnProgress | None) -> _Meter:
        paths = (runs / name for _, runs in experiments for name in segments(runs))
        return cls(on_progress, sum(size_of(path) or 0 for path in paths) if on_progress else 0)

    def add(self, size: int) -> None:
        if self.on_progress is None:
            return
        with self.lock:
            self.done += size
            # What is compressed is more than its file, and what is being written grows.
            self.total = max(self.total, self.done)
            self.on_progress(self.done, self.total)


@attrs.frozen
class _Job:
    """A segment to read, among those that there are."""

    experiment_id: str
    runs: Path
    name: str
    names: Collection[str]

    def size(self) -> int:
        return size_of(self.runs / self.name) or 0


@attrs.frozen
class _Filling:
    """Fills a new schema, whose secondary indexes are made when the rows are there."""

    link: Link
    connection: Connection[Any]
    new: str
    old: str
    meter: _Meter

    def fill(self, experiments: Sequence[tuple[str, Path]], processes: int) -> int:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            enter(cursor, self.new)
            for name in _LATER:
                cursor.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        self._read_side_by_side(experiments, processes)
        # What changed meanwhile, and whatever is told by more than one segment.
        for experiment_id, runs in experiments:
            Ingestion(self.connection, self.new, experiment_id, runs).update()
        return self._finish()

    def _read_side_by_side(self, experiments: Sequence[tuple[str, Path]], processes: int) -> None:
        jobs: list[_Job] = []
        for experiment_id, runs in experiments:
            ingestion = Ingestion(self.connection, self.new, experiment_id, runs)
            with suppress(Overtaken, BeyondRepairError):
                names = dict.fromkeys(segments(runs))
                jobs += [_Job(experiment_id, runs, name, names) for name in ingestion.plan()]
        # A pool's module cannot be loaded while the interpreter shuts down, and this one may be.
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        # The largest first: nobody is left alone with one at the end.
        waiting = deque(sorted(jobs, key=_Job.size, reverse=True))
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(self._read_some, [waiting] * processes))

    def _read_some(self, waiting: deque[_Job]) -> None:
        """Take jobs until there is none."""
        with closing(self.link.another()) as connection:
            for job in _taken(waiting):
                self._read_one(connection, job)

    def _read_one(self, connection: Connection[Any], job: _Job) -> None:
        ingestion = Ingestion(
            connection, self.new, job.experiment_id, job.runs, on_read=self.meter.add
        )
        # A compaction's doing: what is there now is read at the end.
        with suppress(Overtaken, BeyondRepairError):
            ingestion.read_one(job.name, job.names)

    def _finish(self) -> int:
        """Make what was left out, and return how many lines there are."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            fields: list[list[str]] = []
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [_quoted(self.old, "meta")])
            if (cursor.fetchone() or (False,))[0]:
                enter(cursor, self.old)
                fields = metric_indexes(cursor)
            enter(cursor, self.new)
            for statement in schemas.INDEXES.split(";"):
                if any(f" {name} " in statement for name in _LATER):
                    cursor.execute(statement)
            if fields:
                remember_metric_index(cursor, fields)
            for section, name in fields:
                cursor.execute(index_statement(self.new, section, name, concurrently=False))
            for table in ("runs", "attempts", "series", "derived", "artifacts", "fields"):
                cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
            cursor.execute("SELECT coalesce(sum(lines), 0)::bigint FROM segments")
            return int((cursor.fetchone() or (0,))[0])


def _taken(waiting: deque[_Job]) -> Iterator[_Job]:
    while True:
        try:
            job = waiting.popleft()
        except IndexError:
            return
        yield job


def _swap(connection: Connection[Any], schema: str, new: str) -> None:
    """Let the new schema take the old one's place, at a moment when nobody reads that."""
    deadline = time.monotonic() + _PATIENCE
    # Whoever reads has locked some tables and may want others: to hold those and wait for these
    # is a deadlock, of which one of the two would be the victim.
    while time.monotonic() < deadline:
        with suppress(errors.LockNotAvailable):
            return _replace(connection, schema, new, wait=False)
        time.sleep(_PAUSE)
    return _replace(connection, schema, new, wait=True)


def _replace(connection: Connection[Any], schema: str, new: str, *, wait: bool) -> None:
    """Replace a schema; if it is read, wait for that, or raise LockNotAvailable."""
    with connection.transaction(), connection.cursor() as cursor:
        lock(cursor, schema)
        if not wait:
            _claim(cursor, schema)
        _copy_grants(cursor, schema, new)
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
        cursor.execute(
            sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(
                sql.Identifier(new), sql.Identifier(schema)
            )
        )


def _claim(cursor: Cursor[Any], schema: str) -> None:
    """Lock all that a reader may lock; raises LockNotAvailable if one has."""
    cursor.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'v')",
        [schema],
    )
    names = [sql.Identifier(schema, name) for (name,) in cursor.fetchall()]
    if names:
        every = sql.SQL(", ").join(names)
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT").format(every))


def _copy_grants(cursor: Any, schema: str, new: str) -> None:
    """Let whoever may read the old schema read the new one."""
    cursor.execute(
        "SELECT relation, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, "
        "privilege_type FROM ("
        "SELECT NULL AS relation, a.*, n.nspowner AS owner "
        "FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = %(old)s UNION ALL "
        "SELECT c.relname, a.*, c.relowner FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a "
        "WHERE n.nspname = %(old)s AND c.relkind IN ('r', 'v')) granted WHERE grantee <> owner",
        {"old": schema},
    )
    for relation, role, privilege in cursor.fetchall():
        target = (
            sql.SQL("SCHEMA {}").format(sql.Identifier(new))
            if relation is None
            else sql.SQL("TABLE {}").format(sql.Identifier(new, relation))
        )
        cursor.execute(
            sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(privilege), target, sql.SQL(role))
        )


def _refuse_strangers(connection: Connection[Any], schema: str, store_id: str) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        is_current(cursor, schema, store_id)


def _hold(connection: Connection[Any], name: str) -> bool:
    """Hold a schema's name until the connection ends, if nobody else does."""
    found = connection.execute(
        "SELECT pg_try_advisory_lock(hashtextextended(%s, 1))", [name]
    ).fetchone()
    return bool(found and found[0])


def _drop_left_behind(connection: Connection[Any], schema: str) -> None:
    """Drop what rebuilds that were killed have left."""
    found = connection.execute(
        "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", [schema + _BESIDE]
    )
    for (name,) in found.fetchall():
        if _hold(connection, name):
            _drop(connection, name)


def _drop(connection: Connection[Any], name: str) -> None:
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def _quoted(schema: str, table: str) -> str:
    return sql.Identifier(schema, table).as_string()
