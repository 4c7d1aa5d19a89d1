"""How an index stands: how much is in it, how far behind it is, what could not be read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from metalab.store.names import split_part
from metalab_postgres.changes import lag_of, segments
from metalab_postgres.fieldindexes import metric_indexes
from metalab_postgres.migrations import enter
from metalab_postgres.watermarks import Watermark, Watermarks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from psycopg import Connection, Cursor

__all__ = ["ExperimentStatus", "Status", "read_status"]


@attrs.frozen
class ExperimentStatus:
    """How the index of one experiment stands; ``bad_lines`` are those that files report, too."""

    experiment_id: str
    runs: int
    segments: int
    lines: int
    bad_lines: int
    lag_bytes: int


@attrs.frozen
class Status:
    """How an index stands.

    ``as_of`` is when files were last read into it, or now where it is not behind. ``size_bytes``
    is what it takes in the database.
    """

    experiments: tuple[ExperimentStatus, ...]
    as_of: datetime
    size_bytes: int
    field_indexes: tuple[str, ...]

    @property
    def lag_bytes(self) -> int:
        """How many bytes of the files are not indexed yet."""
        return sum(each.lag_bytes for each in self.experiments)

    @property
    def bad_lines(self) -> int:
        """How many lines could not be read."""
        return sum(each.bad_lines for each in self.experiments)


def read_status(
    connection: Connection[Any], schema: str, experiments: Iterable[tuple[str, Path]]
) -> Status:
    """Return how the index of experiments stands, whose segments lie in the folders given."""
    with connection.transaction(), connection.cursor() as cursor:
        enter(cursor, schema)
        found = tuple(_of_experiment(cursor, each, runs) for each, runs in experiments)
        cursor.execute("SELECT max(updated) FROM segments")
        updated = (cursor.fetchone() or (None,))[0]
        cursor.execute(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind = 'r'",
            [schema],
        )
        size = (cursor.fetchone() or (0,))[0]
        fields = tuple(".".join(each) for each in metric_indexes(cursor))
    is_behind = any(each.lag_bytes for each in found)
    as_of = updated if is_behind and updated is not None else datetime.now(UTC)
    return Status(found, as_of, size, fields)


def _of_experiment(cursor: Cursor[Any], experiment_id: str, runs: Path) -> ExperimentStatus:
    cursor.execute("SELECT exp FROM experiments WHERE experiment_id = %s", [experiment_id])
    found = cursor.fetchone()
    marks = {} if found is None else Watermarks(found[0]).read(cursor)
    counted = lines = 0
    if found is not None:
        cursor.execute("SELECT count(*) FROM runs WHERE exp = %s AND rank >= 0", [found[0]])
        counted = (cursor.fetchone() or (0,))[0]
        cursor.execute("SELECT sum(lines) FROM segments WHERE exp = %s", [found[0]])
        lines = int((cursor.fetchone() or (0,))[0] or 0)
    lag = lag_of(runs, segments(runs), marks)
    return ExperimentStatus(experiment_id, counted, len(marks), lines, bad_lines(marks), lag)


def bad_lines(marks: dict[str, Watermark]) -> int:
    """Count the lines that could not be read and should have been.

    A writer whose disk failed wrote what lies beyond a part's good end again, to the next.
    """
    good = {(w, p): at for mark in marks.values() for w, p, at in mark.prev_good}
    return sum(
        1
        for name, mark in marks.items()
        for at, _ in mark.position.bad
        if (end := good.get(split_part(name))) is None or at < end
    )
