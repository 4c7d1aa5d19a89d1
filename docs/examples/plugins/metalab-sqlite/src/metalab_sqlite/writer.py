"""The writer of a store: one worker's lines, artifacts and logs, each in a commit of its own."""

from __future__ import annotations

import os
import secrets
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalab.errors import StoreError
from metalab.store.base import Acknowledge, StoreWriter
from metalab.store.document import record_line
from metalab.store.host import host_name
from metalab.store.lines import (
    Stamp,
    derived_document,
    forget_document,
    line_of,
    loss_document,
    parse_line,
    plan_document,
    readable,
    release_document,
    series_document,
)
from metalab.store.names import file_name, writer_name
from metalab_sqlite.artifacts import name_of
from metalab_sqlite.documents import keep
from metalab_sqlite.liveness import introduce, say_closed, sync

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from metalab.records import AttemptKey, RunRecord
    from metalab.store.reading import LogLine, Loss
    from metalab_sqlite.database import Database

__all__ = ["SqliteWriter"]

_LINE = "INSERT INTO lines (experiment, subject, kind, line) VALUES (?, ?, ?, ?)"
_LOGGED = """
INSERT INTO logged (experiment, writer, run, epoch, attempt, name, text)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


class SqliteWriter(StoreWriter):
    """Adds rows; see StoreWriter. The end of a run is durable when ``put`` returns.

    The database is the writer's own, and closed with it. A forked child that goes on with it
    writes under a name of its own.
    """

    def __init__(
        self, database: Database, experiment: str, launch: str, task: str, roles: tuple[str, str]
    ) -> None:
        self._database = database
        self._experiment = experiment
        self._launch = launch
        self._task = task
        self._roles = roles
        self._is_closed = False
        self._begin()

    def _begin(self) -> None:
        self.name = writer_name(self._launch, self._task, host_name(), secrets.token_hex(4))
        self._pid = os.getpid()
        self._seq = count(1)
        self._is_known = False  # by a row of its own
        self._is_behind = False  # with what is committed, and not yet durable

    def start(self, run_id: str, record: Callable[[], RunRecord], *, careful: bool = False) -> None:
        """Note that a run has begun; see RunWriter."""
        self._add("start", run_id, record_line(record(), self._stamp()), durable=careful)

    def put(self, record: RunRecord, acknowledged: Acknowledge | None = None) -> None:
        """Write the record of a run that has ended, durably; see RunWriter."""
        line = record_line(record, self._stamp())
        self._add(_kind_of(line), record.run_id, line, durable=True)
        if acknowledged is not None:
            acknowledged()

    def put_series(
        self, run: AttemptKey, name: str, points: Sequence[tuple[int | float, Any]]
    ) -> None:
        """Write further points of a run's metric series."""
        self._add_document(run.run_id, series_document(run, name, points, self._stamp()))

    def put_derived(
        self, run_id: str, name: str, values: Mapping[str, Any], *, code: str, of: str, rev: int = 1
    ) -> None:
        """Write values derived from a record; see StoreWriter."""
        stamp = self._stamp()
        document = derived_document(run_id, name, values, stamp, code=code, of=of, rev=rev)
        self._add_document(run_id, document)

    def forget(self, run_id: str, epoch: int) -> None:
        """Write that a run's lines before an epoch count no more."""
        self._add_document(run_id, forget_document(run_id, epoch, self._stamp()))

    def join(self, plan: str) -> None:
        """Write that this works on a plan, durably; see StoreWriter."""
        self._add_document(plan, plan_document(plan, self._stamp()), durable=True)

    def release(self, plan: str, units: Sequence[int]) -> None:
        """Write that this gives up its claims on units of a plan."""
        self._add_document(plan, release_document(plan, units, self._stamp()))

    def put_loss(self, run_id: str, loss: Loss) -> None:
        """Write that an attempt at a run has no end."""
        self._add_document(run_id, loss_document(run_id, loss, self._stamp()))

    def put_artifact(
        self, run: AttemptKey, name: str, source: bytes | Path, *, extension: str
    ) -> tuple[str, str, int]:
        """Keep the bytes of an artifact, once for equal bytes; see RunWriter.

        They are durable with the record that names them. Raises StoreError for more than
        SQLite takes in one row, which is 1 GB.
        """
        del run, name  # content has no other name than its hash
        data = source.read_bytes() if isinstance(source, Path) else source
        digest = sha256(data).hexdigest()
        kept_as = name_of(digest, extension)
        self._write(
            lambda connection: keep(connection, self._experiment, "artifact", kept_as, data)
        )
        return f"artifact/{kept_as}", digest, len(data)

    def append_log(self, run: AttemptKey, text: str, name: str = "run") -> None:
        """Add one line to a log of a run; further lines where the text holds line feeds."""
        place = (self._experiment, self._own_name(), run.run_id, run.epoch, run.attempt)
        lines = readable(text).removesuffix("\n").split("\n")
        rows = [(*place, file_name(name), line) for line in lines]
        self._write(lambda connection: connection.executemany(_LOGGED, rows))

    def copy(self, line: bytes) -> bytes:
        """Write a line as another writer wrote it; see StoreWriter."""
        document = parse_line(line)
        if document is None:
            raise StoreError(f"a line that is damaged cannot be copied: {line[:80]!r}")
        self._add(document["t"], document["id"], line)
        return line

    def copy_log(self, writer: str, lines: Iterable[LogLine]) -> None:
        """Add lines to what is kept of another writer's logs; see StoreWriter."""
        rows = [
            (self._experiment, writer, e.run_id, e.epoch, e.attempt, e.name, readable(e.text))
            for e in lines
        ]
        if rows:
            self._write(lambda connection: connection.executemany(_LOGGED, rows))

    def flush(self) -> None:
        """Return once everything put so far is durable."""
        if self._is_behind and self._pid == os.getpid():
            self._write(lambda connection: sync(connection, self.name), durable=True)

    def close(self) -> None:
        """Flush, and end this writer for good."""
        if self._is_closed:
            return
        try:
            if self._is_known and self._pid == os.getpid():
                self._write(lambda connection: say_closed(connection, self.name), durable=True)
        finally:
            self._is_closed = True
            self._database.close()

    def _own_name(self) -> str:
        if self._pid != os.getpid():  # in a forked child
            self._begin()
        return self.name

    def _stamp(self) -> Stamp:
        return Stamp(self._own_name(), 1, next(self._seq), self._launch)

    def _add_document(
        self, subject: str, document: Mapping[str, Any], *, durable: bool = False
    ) -> None:
        self._add(document["t"], subject, line_of(document), durable=durable)

    def _add(self, kind: str, subject: str, line: bytes, *, durable: bool = False) -> None:
        row = (self._experiment, subject, kind, line.rstrip(b"\n"))
        self._write(lambda connection: connection.execute(_LINE, row), durable=durable)

    def _write(
        self, action: Callable[[sqlite3.Connection], object], *, durable: bool = False
    ) -> None:
        if self._is_closed:
            raise StoreError("this writer is closed")
        name = self._own_name()
        with self._database.writing(self._experiment, durable=durable) as connection:
            if not self._is_known:
                introduce(connection, self._experiment, name, *self._roles)
            action(connection)
        self._is_known = True
        self._is_behind = not durable


def _kind_of(line: bytes) -> str:
    return "start" if line.startswith(b'{"t":"start"') else "run"
