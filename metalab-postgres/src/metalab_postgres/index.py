"""The index of a store: brought up to date, rebuilt, verified, and told about."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import psycopg

from metalab.errors import StoreError
from metalab.store.file import disk, layout
from metalab.store.indexing import StoreIndex
from metalab_postgres.changes import segments, size_of
from metalab_postgres.config import PostgresStoreConfig
from metalab_postgres.connection import link_to
from metalab_postgres.fieldindexes import (
    index_statement,
    metric_indexes,
    remember_metric_index,
)
from metalab_postgres.folding import forget_experiment
from metalab_postgres.ingestion import Ingestion
from metalab_postgres.migrations import enter, is_current, lock, migrate
from metalab_postgres.rebuilding import rebuild
from metalab_postgres.status import read_status
from metalab_postgres.trouble import (
    IndexReadOnly,
    IndexUnavailable,
    is_passing,
    tell,
    translated,
)
from metalab_postgres.verification import differences

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd
    from psycopg import Connection, Cursor

    from metalab.store.indexing import IndexStatus, OnProgress

__all__ = ["Freshness", "PostgresIndex"]

T = TypeVar("T")

_RETRIES = 6
_PAUSE = 0.05
_POLL = 2.0


@attrs.frozen
class Freshness:
    """How far the index is behind the files: by bytes, and since when at least."""

    lag_bytes: int
    as_of: datetime


class PostgresIndex(StoreIndex):
    """The index of a store's files in PostgreSQL; takes what PostgresStoreConfig does.

    Every method raises IndexUnavailable where the database cannot be used; files stay as they
    are, whatever becomes of the index.
    """

    def __init__(
        self,
        connection_string: str | PostgresStoreConfig,
        file_root: Any = None,
        *,
        schema: str | None = None,
    ) -> None:
        given = connection_string
        if not isinstance(given, PostgresStoreConfig):
            given = PostgresStoreConfig(given, file_root, schema=schema)
        self.config = given
        self._link = link_to(given.dsn)
        self._current: Connection[Any] | None = None

    def __repr__(self) -> str:
        return f"PostgresIndex({self.config.locator!r})"

    def update(self, experiment_id: str | None = None) -> int:
        """Index what the files have beyond the index; returns how many lines that were.

        ``experiment_id`` restricts it to one experiment.
        """
        wanted = experiment_id or self.config.experiment_id
        return self._patiently(lambda connection: self._update(connection, wanted))

    def freshen(self, experiment_id: str | None = None) -> Freshness:
        """Bring the index up to date where that is allowed; says how far it is behind."""
        try:
            self.update(experiment_id)
        except IndexReadOnly:
            return self._patiently(lambda connection: self._freshness(connection, experiment_id))
        return Freshness(0, datetime.now(UTC))

    def rebuild(self, *, on_progress: OnProgress | None = None, processes: int = 3) -> int:
        """Make the index anew from the files, beside the old one, which it then replaces.

        ``processes`` is how many connections read side by side; ``on_progress`` as in
        StoreIndex. Returns the number of lines. A failure leaves the old index as it was.
        """
        with translated(str(self.config.dsn)), disk.explained("the files cannot be indexed"):
            self._current = None
            return rebuild(
                self._link,
                self.config.schema,
                self._store_id(),
                self._experiments(),
                processes,
                on_progress,
            )

    def verify(self) -> list[str]:
        """Compare the index with the files, run by run, and name each difference."""
        self.update()
        wanted = [(each, runs) for each, runs in self._experiments() if self._covers(each)]

        def compare(connection: Connection[Any]) -> list[str]:
            return [
                line
                for experiment_id, runs in wanted
                for line in differences(connection, self.config.schema, experiment_id, runs)
            ]

        return self._patiently(compare)

    def status(self) -> IndexStatus:
        """Say how much is indexed, how far that is behind, and what could not be read."""
        wanted = [(each, runs) for each, runs in self._experiments() if self._covers(each)]
        return self._patiently(
            lambda connection: read_status(connection, self.config.schema, wanted)
        )

    def follow(self, stop: threading.Event, *, interval: float = _POLL) -> None:
        """Keep the index up to date until ``stop`` is set, and once more then.

        Looks at the files every ``interval`` seconds. Trouble with the database is told once.
        """
        is_last, seen = False, None
        while not is_last:
            is_last = stop.wait(interval)
            try:
                # While nothing is written the connection is left alone, until it is closed.
                if (found := self._sizes()) != seen:
                    self.update()
                    seen = found
            except StoreError as error:
                tell(error)

    def index_field(self, section: str, name: str) -> None:
        """Make an index on the numbers of a param or a metric, without holding anybody up.

        ``section`` is ``params`` or ``metrics``.
        """
        if section not in {"params", "metrics"}:
            raise ValueError(f"section={section!r}: it is 'params' or 'metrics'")
        self._patiently(lambda connection: self._index_field(connection, section, name))

    def frame(
        self, columns: str | Sequence[str], experiment_id: str | None = None
    ) -> pd.DataFrame | None:
        """Make the frame of ``Results.to_dataframe(columns=...)`` without reading the files.

        It has all runs that are indexed, in the order of the plan; ``derived_NAME`` is a
        derived value that is kept. ``experiment_id`` chooses the experiment where the
        configuration does not. None where only the files can tell: a value is such that the
        database cannot hold it, or no run has one of the columns.
        """
        from metalab_postgres.frames import frame  # noqa: PLC0415  it needs pandas

        wanted = experiment_id or self.config.experiment_id
        if wanted is None:
            raise ValueError("experiment_id is needed: the index is of a whole collection")
        names = [columns] if isinstance(columns, str) else list(columns)
        with self.reading() as cursor:
            return frame(cursor, wanted, names)

    @contextmanager
    def reading(self) -> Iterator[Cursor[Any]]:
        """Lend a cursor to read with: one moment's state, the schema's names unqualified."""
        with self._link.session() as connection:
            self._prepare(connection)
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                enter(cursor, self.config.schema)
                yield cursor

    def close(self) -> None:
        """Close this process's connection, which other stores of the database share."""
        self._link.close()

    def _patiently(self, work: Callable[[Connection[Any]], T]) -> T:
        """Do work on the connection, again if it fails in a way that passes."""
        with translated(str(self.config.dsn)), disk.explained("the files cannot be indexed"):
            for retry in range(_RETRIES):
                try:
                    with self._link.raw_session() as connection:
                        self._prepare(connection)
                        return work(connection)
                except psycopg.errors.UndefinedTable:
                    # The schema was dropped, or is being swapped for a new one.
                    self._current = None
                    if retry == _RETRIES - 1:
                        raise
                except psycopg.Error as error:
                    if retry == _RETRIES - 1 or not is_passing(error):
                        raise
                time.sleep(_PAUSE * 2**retry)
        raise AssertionError("the last try returns or raises")

    def _prepare(self, connection: Connection[Any]) -> None:
        """See that the schema is there, once for each connection."""
        if self._current is connection:
            return
        store_id = self._store_id()
        with connection.transaction(), connection.cursor() as cursor:
            ready = is_current(cursor, self.config.schema, store_id)
        if not ready:
            migrate(connection, self.config.schema, store_id)
        self._current = connection

    def _store_id(self) -> str:
        marker = Path(self.config.file_root) / layout.MARKER
        if not marker.exists():
            raise IndexUnavailable(
                f"{self.config.file_root} has no {layout.MARKER}, by which an index knows its "
                "store: connect() makes one"
            )
        return str(layout.read_json(marker).get("store_id"))

    def _experiments(self) -> list[tuple[str, Path]]:
        """List the experiments of the whole store and where their segments lie."""
        root = Path(self.config.file_root)
        found = layout.Collection(root).experiments()
        return [(each, layout.Folder.of(root, each).path / "runs") for each in found]

    def _sizes(self) -> dict[Path, int]:
        """Return the sizes of all segments."""
        with disk.explained("the files cannot be indexed"):
            return {
                path: size
                for experiment_id, runs in self._experiments()
                if self._covers(experiment_id)
                for path in (runs / name for name in segments(runs))
                if (size := size_of(path)) is not None
            }

    def _covers(self, experiment_id: str) -> bool:
        return self.config.experiment_id in {None, experiment_id}

    def _update(self, connection: Connection[Any], experiment_id: str | None) -> int:
        schema, done = self.config.schema, 0
        if experiment_id is not None:
            root = Path(self.config.file_root)
            runs = layout.Folder.of(root, experiment_id).path / "runs"
            return Ingestion(connection, schema, experiment_id, runs).update()
        there = self._experiments()
        for each, runs in there:
            done += Ingestion(connection, schema, each, runs).update()
        self._drop_absent(connection, {each for each, _ in there})
        return done

    def _drop_absent(self, connection: Connection[Any], there: set[str]) -> None:
        """Take experiments out of the index whose folders are gone."""
        with connection.transaction(), connection.cursor() as cursor:
            enter(cursor, self.config.schema)
            cursor.execute("SELECT exp, experiment_id FROM experiments")
            gone = [exp for exp, experiment_id in cursor.fetchall() if experiment_id not in there]
            if gone:
                lock(cursor, self.config.schema)
            for exp in gone:
                forget_experiment(cursor, exp)
                cursor.execute("DELETE FROM experiments WHERE exp = %s", [exp])

    def _freshness(self, connection: Connection[Any], experiment_id: str | None) -> Freshness:
        status = read_status(
            connection,
            self.config.schema,
            [each for each in self._experiments() if experiment_id in {None, each[0]}],
        )
        return Freshness(status.lag_bytes, status.as_of)

    def _index_field(self, connection: Connection[Any], section: str, name: str) -> None:
        schema = self.config.schema
        with connection.transaction(), connection.cursor() as cursor:
            enter(cursor, schema)
            lock(cursor, schema)
            made = metric_indexes(cursor)
            if [section, name] not in made:
                remember_metric_index(cursor, [*made, [section, name]])
        # This waits for no writer, and may not stand in a transaction.
        connection.execute(index_statement(schema, section, name, concurrently=True))
