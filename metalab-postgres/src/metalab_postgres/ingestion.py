"""Bringing the index up to date: what segments have beyond their watermarks is folded into it.

A block of lines and the watermark behind it enter in one transaction, so a process may be
killed at any byte, and rivals do no harm: whoever finds a watermark moved begins again from
there. What cannot be told from watermarks alone, as a file that became shorter or vanished,
makes the experiment be read anew, in one transaction as well.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import psycopg

from metalab.store.file import disk
from metalab.store.file.content import is_compressed
from metalab.store.file.reader import COMPACTED, replaces_in
from metalab.store.file.scan import Position, Scanner
from metalab.store.names import part_name, split_part
from metalab_postgres.changes import BeyondRepairError, changed, segments
from metalab_postgres.folding import copy, fold, fold_new, forget_experiment, prepare
from metalab_postgres.incoming import Batch, Incoming, reduced
from metalab_postgres.migrations import enter, lock
from metalab_postgres.trouble import IndexUnavailable, is_refusal
from metalab_postgres.watermarks import Watermark, Watermarks, headed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from psycopg import Connection, Cursor


__all__ = ["BLOCK", "Ingestion", "Overtaken", "number_of"]

BLOCK = 8 << 20
"""How many bytes of lines enter in one transaction, about."""

_TRIES = 20


class Overtaken(Exception):  # noqa: N818  a turn of events, caught within the package
    """Another process has read a segment on, or a compaction has replaced it, meanwhile."""


@attrs.frozen
class Ingestion:
    """Reads the segments of one experiment into the index; ``runs`` is their folder.

    ``on_read`` is told how many bytes more are in the index.
    """

    connection: Connection[Any]
    schema: str
    experiment_id: str
    runs: Path
    block: int = BLOCK
    on_read: Callable[[int], None] = lambda _: None

    def update(self) -> int:
        """Read what is new and return how many lines were; raises psycopg's errors.

        What is there when it begins is in the index when it returns.
        """
        done = 0
        for _ in range(_TRIES):
            try:
                lines, is_all = self._pass()
            except Overtaken:
                continue
            except BeyondRepairError as error:
                # Where a compaction has overtaken a listing, it says what became of the rest.
                if error.is_known or not self._has_compacted():
                    with suppress(Overtaken, BeyondRepairError):
                        return self.renew()
                continue
            done += lines
            if is_all:
                return done
        raise IndexUnavailable(f"{self.runs} changes faster than it can be indexed; try again")

    def renew(self) -> int:
        """Read everything anew; readers see the old rows until all is there."""
        done, is_all = 0, False
        with self.connection.transaction(), self.connection.cursor() as cursor:
            enter(cursor, self.schema)
            lock(cursor, self.schema)
            forget_experiment(cursor, number_of(cursor, self.experiment_id))
            while not is_all:
                lines, is_all = self._pass()
                done += lines
        return done

    def known(self) -> tuple[Watermarks, dict[str, Watermark]]:
        """Return what the index has of each segment."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            enter(cursor, self.schema)
            marks = Watermarks(number_of(cursor, self.experiment_id))
            return marks, marks.read(cursor)

    def _pass(self) -> tuple[int, bool]:
        """Read what is new in the segments that there are; False if others have to be read."""
        marks, known = self.known()
        names = dict.fromkeys(segments(self.runs))
        news = changed(self.runs, names, known)
        lines = sum([self._read(marks, known.get(name), name, names) for name in news])
        return lines, not any(name.startswith(COMPACTED) for name in news)

    def plan(self) -> list[str]:
        """Read what compactions made, and list the other segments that have something new."""
        while True:
            _, known = self.known()
            news = changed(self.runs, segments(self.runs), known)
            if not any(name.startswith(COMPACTED) for name in news):
                return news
            self._pass()

    def read_one(self, name: str, names: Collection[str]) -> int:
        """Read one segment on, of those that there are; returns how many lines were new."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            enter(cursor, self.schema)
            marks = Watermarks(number_of(cursor, self.experiment_id))
            mark = marks.add(cursor, name)  # whoever has many to read would read all for each
        return self._read(marks, mark, name, names)

    def _has_compacted(self) -> bool:
        """Tell whether there is a segment of a compaction that was not read yet."""
        _, known = self.known()
        return any(name.startswith(COMPACTED) and name not in known for name in segments(self.runs))

    def _read(
        self, marks: Watermarks, mark: Watermark | None, name: str, names: Collection[str]
    ) -> int:
        """Read one segment on; the one that a compaction made enters as a whole."""
        try:
            if not name.startswith(COMPACTED):
                return self.read_segment(marks, mark, name, names)
            with self.connection.transaction(), self.connection.cursor() as cursor:
                enter(cursor, self.schema)
                lock(cursor, self.schema)
                lines = self.read_segment(marks, mark, name, names)
                self._follow_compaction(cursor, marks, name)
        except OSError as error:
            if not disk.is_gone(error):
                raise
            raise Overtaken from None
        return lines

    def read_segment(
        self, marks: Watermarks, mark: Watermark | None, name: str, names: Collection[str]
    ) -> int:
        """Read a segment from its watermark to its last line feed, in blocks.

        Raises Overtaken, OSError if the file cannot be read.
        """
        if mark is None:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                enter(cursor, self.schema)
                mark = marks.add(cursor, name)
        path = self.runs / name
        writer, part = split_part(name)
        sealed = is_compressed(name) or f"{part_name(writer, part + 1)}.jsonl" in names
        incoming = Incoming()
        scanner = Scanner(incoming, path, 0, mark.position)
        lines = 0
        for _ in scanner.steps(sealed=sealed, final=True):
            if incoming.size >= self.block:
                batch = incoming.take()
                # That a file was read to its end is said only when it was.
                there = attrs.evolve(scanner.position, over=False)
                if is_compressed(name):
                    there = attrs.evolve(there, size=0)
                mark = self._commit(marks, mark, _moved(mark, path, there, scanner), batch)
                lines += len(batch.items)
        batch = incoming.take()
        moved = _moved(mark, path, scanner.position, scanner)
        if batch.items or batch.refused or moved != mark:
            self._commit(marks, mark, moved, batch)
        return lines + len(batch.items)

    def _commit(
        self, marks: Watermarks, mark: Watermark, moved: Watermark, batch: Batch
    ) -> Watermark:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            enter(cursor, self.schema)
            prepare(cursor)
            refused = [*batch.refused, *self._fold(cursor, marks, mark, batch)]
            if refused:
                bad = {*moved.position.bad, *((at, _REFUSED) for at in refused)}
                position = attrs.evolve(moved.position, bad=tuple(sorted(bad)))
                moved = attrs.evolve(moved, position=position)
            marks.advance(cursor, moved, len(batch.items) + len(batch.refused) - len(refused))
        self.on_read(moved.position.offset - mark.position.offset)
        return moved

    def _fold(
        self, cursor: Cursor[Any], marks: Watermarks, mark: Watermark, batch: Batch
    ) -> list[int]:
        """Fold a batch and return the offsets of the lines that the server refuses."""
        try:
            with self.connection.transaction():
                copy(cursor, batch.items)
                if batch.kinds == {"run"} and self._fold_new(cursor, marks, mark, batch):
                    return []
                # From here on one at a time goes on, and sees all that the others did.
                lock(cursor, self.schema)
                if not marks.is_at(cursor, mark):
                    raise Overtaken
                fold(cursor, marks.exp, mark.seg, batch)
        except psycopg.Error as error:
            if not is_refusal(error):
                raise
            refused = []
            for part in _parts(batch):
                cursor.execute("TRUNCATE pg_temp.incoming")
                refused += self._fold(cursor, marks, mark, part)
            return refused or ([batch.items[0].offset] if not _parts(batch) else [])
        return []

    def _fold_new(
        self, cursor: Cursor[Any], marks: Watermarks, mark: Watermark, batch: Batch
    ) -> bool:
        """Fold records of new runs beside others who do; False, and nothing done, if some are not.

        Of two who read the same lines one waits for the other's, and then finds them there.
        """
        # A transaction suppresses this itself, but where the server is gone: what is next meets it.
        with suppress(psycopg.Rollback), self.connection.transaction():
            lock(cursor, self.schema, shared=True)
            if not marks.is_at(cursor, mark):
                raise Overtaken
            if fold_new(cursor, marks.exp, mark.seg, batch):
                return True
            raise psycopg.Rollback  # of this alone, the lock included
        return False

    def _follow_compaction(self, cursor: Cursor[Any], marks: Watermarks, name: str) -> None:
        """Forget the segments that a compaction has copied.

        Raises BeyondRepairError if rows still point there: lines were left out, so some may
        have to go that only they held.
        """
        known = marks.read(cursor)
        replaced = {old for old, _ in known[name].replaces}
        gone = [mark for old, mark in known.items() if old in replaced]
        segs = [mark.seg for mark in gone]
        marks.drop(cursor, gone)
        cursor.execute(
            "SELECT EXISTS (SELECT FROM runs WHERE exp = %(exp)s AND seg = ANY(%(segs)s)) "
            "OR EXISTS (SELECT FROM attempts WHERE exp = %(exp)s AND seg = ANY(%(segs)s)) "
            "OR EXISTS (SELECT FROM series WHERE exp = %(exp)s AND seg = ANY(%(segs)s)) "
            "OR EXISTS (SELECT FROM derived WHERE exp = %(exp)s AND seg = ANY(%(segs)s))",
            {"exp": marks.exp, "segs": segs},
        )
        found = cursor.fetchone()
        if segs and found is not None and found[0]:
            raise BeyondRepairError(is_known=True)


_REFUSED = "PostgreSQL cannot hold what the line says"


def _parts(batch: Batch) -> list[Batch]:
    """Return what is to be tried of a batch that the server refused: its halves, less of a line."""
    if len(batch.items) > 1:
        return list(batch.halves())
    return [Batch([less], {}) for item in batch.items if (less := reduced(item)) is not None]


def number_of(cursor: Cursor[Any], experiment_id: str) -> int:
    """Return an experiment's number in the index, giving it one if it has none."""
    for _ in range(2):
        cursor.execute("SELECT exp FROM experiments WHERE experiment_id = %s", [experiment_id])
        found = cursor.fetchone()
        if found is not None:
            return int(found[0])
        cursor.execute(
            "INSERT INTO experiments (experiment_id) VALUES (%s) ON CONFLICT DO NOTHING",
            [experiment_id],
        )
    raise Overtaken


def _moved(mark: Watermark, path: Path, position: Position, scanner: Scanner) -> Watermark:
    """Return a watermark moved to a position, with what the ``open`` lines met said."""
    said = []
    for each in scanner.openings:
        match each:
            case {"writer": str(writer), "part": int(part), "prev_good": int(good)}:
                said.append((writer, part - 1, good))
    prev_good = tuple(dict.fromkeys([*mark.prev_good, *said]))
    replaces = mark.replaces
    if scanner.is_whole and scanner.openings:
        replaces = tuple(dict.fromkeys([*replaces, *replaces_in(scanner.openings[0])]))
    moved = attrs.evolve(mark, position=position, prev_good=prev_good, replaces=replaces)
    return headed(moved, path)
