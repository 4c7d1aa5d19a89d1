"""Watermarks: how far each segment of an experiment is in the index."""

from __future__ import annotations

from binascii import crc32
from typing import TYPE_CHECKING, Any

import attrs
from psycopg.types.json import Jsonb

from metalab.store.file import disk
from metalab.store.file.content import is_compressed
from metalab.store.file.runlog import FileRunLog
from metalab.store.file.scan import Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from psycopg import Cursor

    from metalab.store.reading import RunLog

__all__ = ["Watermark", "Watermarks", "headed", "holds", "position_of"]

_HEAD = 4096
_REACHED = (
    "SELECT name, position FROM segments JOIN experiments USING (exp) WHERE experiment_id = %s"
)
_COLUMNS = "seg, name, position, head_size, head_crc, prev_good, replaces"


@attrs.frozen
class Watermark:
    """How far one segment was read, and what tells it from another of its name.

    ``prev_good`` and ``replaces`` are what its ``open`` lines said, as in
    ``metalab.store.file.reader``.
    """

    seg: int
    name: str
    position: Position
    head_size: int = 0
    head_crc: int = 0
    prev_good: tuple[tuple[str, int, int], ...] = ()
    replaces: tuple[tuple[str, int], ...] = ()

    def is_of(self, path: Path) -> bool:
        """Tell whether the file at a path still begins as the one that was read."""
        return crc32(disk.read_from(path, 0, self.head_size)) == self.head_crc

    def has_news(self, path: Path, size: int) -> bool:
        """Tell whether a file, now of that size, has something to read or to report."""
        if self.position.over:
            return size != self.reach
        return self.position.has_news(path, size, final=True)

    @property
    def reach(self) -> int:
        """The size that the file had at least."""
        return self.position.reach(self.name)


@attrs.frozen
class Watermarks:
    """The watermarks of one experiment, by the number that it has in the index."""

    exp: int

    def read(self, cursor: Cursor[Any]) -> dict[str, Watermark]:
        """Return all of them by the segments' names."""
        cursor.execute(f"SELECT {_COLUMNS} FROM segments WHERE exp = %s", [self.exp])  # noqa: S608
        return {row[1]: _watermark(row) for row in cursor.fetchall()}

    def add(self, cursor: Cursor[Any], name: str) -> Watermark:
        """Return the watermark of a segment, at its beginning where nothing was read yet."""
        cursor.execute(
            "INSERT INTO segments (exp, name, position) VALUES (%s, %s, %s) "
            "ON CONFLICT (exp, name) DO NOTHING",
            [self.exp, name, Jsonb(attrs.asdict(Position(), value_serializer=_plain))],
        )
        cursor.execute(
            f"SELECT {_COLUMNS} FROM segments WHERE exp = %s AND name = %s",  # noqa: S608
            [self.exp, name],
        )
        return _watermark(cursor.fetchall()[0])

    @staticmethod
    def is_at(cursor: Cursor[Any], mark: Watermark) -> bool:
        """Tell whether nobody has read on since a watermark was read."""
        cursor.execute("SELECT position FROM segments WHERE seg = %s", [mark.seg])
        found = cursor.fetchone()
        return found is not None and position_of(found[0]) == mark.position

    @staticmethod
    def advance(cursor: Cursor[Any], mark: Watermark, lines: int) -> None:
        """Move a watermark; ``lines`` are how many more the index has."""
        cursor.execute(
            "UPDATE segments SET ingested = %s, position = %s, head_size = %s, head_crc = %s, "
            "lines = lines + %s, bad_lines = %s, sealed = %s, prev_good = %s, replaces = %s, "
            "updated = now() WHERE seg = %s",
            [
                mark.position.offset,
                Jsonb(attrs.asdict(mark.position, value_serializer=_plain)),
                mark.head_size,
                mark.head_crc,
                lines,
                len(mark.position.bad),
                mark.position.over,
                Jsonb([list(each) for each in mark.prev_good]),
                Jsonb([list(each) for each in mark.replaces]),
                mark.seg,
            ],
        )

    @staticmethod
    def drop(cursor: Cursor[Any], marks: Iterable[Watermark]) -> None:
        """Forget watermarks."""
        cursor.execute("DELETE FROM segments WHERE seg = ANY(%s)", [[each.seg for each in marks]])


def holds(cursor: Cursor[Any], experiment_id: str, log: RunLog) -> bool:
    """Tell whether the index has read exactly what a log of the files has."""
    if not isinstance(log, FileRunLog):
        return False
    cursor.execute(_REACHED, [experiment_id])
    indexed = {name: position_of(document) for name, document in cursor.fetchall()}
    return _reached(indexed) == _reached(log.positions)


def _reached(positions: Mapping[str, Position]) -> dict[str, tuple[int, frozenset[int]]]:
    """Return what was read of each segment of which anything was."""
    found = {name: (each.offset, each.known) for name, each in positions.items()}
    return {name: each for name, each in found.items() if each != (0, frozenset())}


def headed(mark: Watermark, path: Path) -> Watermark:
    """Return a watermark with the head of its file, once there is enough of it."""
    reached = disk.size_of(path) if is_compressed(mark.name) else mark.position.offset
    size = min(_HEAD, reached)
    if size <= mark.head_size:
        return mark
    return attrs.evolve(mark, head_size=size, head_crc=crc32(disk.read_from(path, 0, size)))


def position_of(document: dict[str, Any]) -> Position:
    """Return the position that ``segments.position`` describes."""
    waits = document["waits"]
    return Position(
        document["offset"],
        document["over"],
        tuple((at, why) for at, why in document["bad"]),
        None if waits is None else (waits[0], waits[1]),
        frozenset(document["known"]),
        document["size"],
    )


def _plain(_owner: Any, _field: Any, value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def _watermark(row: tuple[Any, ...]) -> Watermark:
    seg, name, position, size, crc, prev_good, replaces = row
    return Watermark(
        seg,
        name,
        position_of(position),
        size,
        crc,
        tuple((writer, part, good) for writer, part, good in prev_good),
        tuple((old, at) for old, at in replaces),
    )
