"""Logs: the lines that runs logged, by writer, and those of one run's current attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.store.lines import parse_line
from metalab.store.reading import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metalab_sqlite.database import Database
    from metalab_sqlite.runlog import SqliteRunLog

__all__ = ["LogLines", "logs_by_writer", "logs_of_run"]

_WINDOW = 4096  # lines that are fetched together
_WRITERS = "SELECT writer FROM logged WHERE experiment = ? GROUP BY writer ORDER BY min(n)"
_LINES = """
SELECT n, run, epoch, attempt, name, text FROM logged
WHERE experiment = ? AND writer = ? AND n > ? ORDER BY n LIMIT ?
"""
_OF_RUN = """
SELECT epoch, attempt, writer, name, text FROM logged WHERE run = ? AND experiment = ? ORDER BY n
"""


class LogLines:
    """The lines of one writer, in the order written; they are read whenever they are iterated."""

    def __init__(self, database: Database, experiment: str, writer: str) -> None:
        self._database = database
        self._place = (experiment, writer)

    def __iter__(self) -> Iterator[LogLine]:
        """Yield the lines, some fetched at a time."""
        last = 0
        while window := self._database.rows(_LINES, (*self._place, last, _WINDOW)):
            yield from (LogLine(*row[1:]) for row in window)
            last = window[-1][0]


def logs_by_writer(database: Database, experiment: str) -> dict[str, LogLines]:
    """Return all that was logged, of every attempt, by writer."""
    writers = database.rows(_WRITERS, (experiment,))
    return {writer: LogLines(database, experiment, writer) for (writer,) in writers}


def logs_of_run(log: SqliteRunLog, run_id: str) -> dict[str, str]:
    """Return the logs of a run's current attempt by name; of all attempts, if it has no record."""
    rows = log.database.rows(_OF_RUN, (run_id, log.experiment))
    state = log.state(run_id)
    if state is not None:
        rows = [row for row in rows if row[:2] == (state.epoch, state.attempt)]
        own = (parse_line(next(log.lines([run_id]))) or {}).get("writer")
        # A worker that died has its end written by another.
        rows = [row for row in rows if row[2] == own] or rows
    found: dict[str, str] = {}
    for _, _, _, name, text in rows:
        found[name] = f"{found.get(name, '')}{text}\n"
    return found
