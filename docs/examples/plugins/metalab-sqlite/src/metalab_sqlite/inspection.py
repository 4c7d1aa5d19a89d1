"""Inspections: whether all that is kept of an experiment is as it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.errors import StoreError
from metalab.store.document import record_of
from metalab.store.lines import parse_line
from metalab.store.maintenance import Flaw, Inspection, Severity
from metalab_sqlite.artifacts import open_uri
from metalab_sqlite.runlog import SqliteRunLog, read_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from metalab.records import ArtifactDescriptor
    from metalab_sqlite.database import Database

__all__ = ["inspect"]

_WINDOW = 1000  # lines that are fetched together
_LINES = "SELECT n, line FROM lines WHERE experiment = ? AND n > ? ORDER BY n LIMIT ?"
_WRITERS = "SELECT count(*) FROM writers WHERE experiment = ?"


def inspect(database: Database, experiment: str) -> Inspection:
    """Check SQLite's pages, every line, and the artifacts that current records name."""
    ((writers,),) = database.rows(_WRITERS, (experiment,))
    lines = list(_lines(database, experiment))
    log = read_on(SqliteRunLog(database, experiment))
    artifacts = {each.uri: each for line in log.lines() for each in record_of(line).artifacts}
    flaws = [
        *_pages(database),
        *(flaw for flaw in lines if flaw is not None),
        *_artifacts(database, experiment, artifacts.values()),
    ]
    return Inspection(writers, len(lines), len(artifacts), tuple(flaws))


def _pages(database: Database) -> Iterator[Flaw]:
    for (text,) in database.rows("PRAGMA integrity_check"):
        if text != "ok":
            words = f"SQLite says of its pages: {text}; sqlite3's .recover saves what can be read"
            yield Flaw("pages", Severity.DAMAGE, str(database.path), words)


def _lines(database: Database, experiment: str) -> Iterator[Flaw | None]:
    last = 0
    while window := database.rows(_LINES, (experiment, last, _WINDOW)):
        for number, line in window:
            place = f"{database.path}, line {number}"
            text = "its checksum is not that of its bytes: it is passed over"
            sound = parse_line(line) is not None
            yield None if sound else Flaw("line", Severity.DAMAGE, place, text)
        last = window[-1][0]


def _artifacts(
    database: Database, experiment: str, artifacts: Iterable[ArtifactDescriptor]
) -> Iterator[Flaw]:
    for artifact in artifacts:
        try:
            open_uri(database, experiment, artifact).close()
        except (StoreError, ValueError) as error:
            yield Flaw("artifact", Severity.DAMAGE, artifact.uri, str(error))
