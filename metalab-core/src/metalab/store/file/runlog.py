"""The folded lines of an experiment's segments, read on demand from where the index says."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from functools import partial
from itertools import islice, takewhile
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from metalab.store.base import RunLog, RunState
from metalab.store.file.cache import CACHED, CacheFile
from metalab.store.file.rows import Rows
from metalab.store.fold import FORGOTTEN, attempts_in_order, fold_derived, fold_series
from metalab.store.lines import crc_of
from metalab.store.pieces import Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from metalab.store.base import Damage
    from metalab.store.file.index import Head, Index
    from metalab.store.file.scan import Position
    from metalab.store.reading import Loss

__all__ = ["FileRunLog", "Replaced"]

_WINDOW = 8192  # lines that are read together when an order is asked for
_RUNS = 256  # whose lines are read together when all of them are
_decode = msgspec.json.Decoder().decode

Replaced = Mapping[str, Mapping[int, str]]
"""By name and size the segments that a compaction has copied, and the segment with the copy."""

_NOTHING: Replaced = MappingProxyType({})


class FileRunLog(RunLog):
    """What ``FileStore.read`` returns."""

    def __init__(
        self,
        folder: Path,
        positions: Mapping[str, Position],
        prev_good: Mapping[tuple[str, int], int],
        index: Index,
        damage: tuple[Damage, ...],
        replaced: Replaced = _NOTHING,
    ) -> None:
        self.folder = folder
        self.positions = positions
        self.live = [name for name, position in positions.items() if not position.over]
        self.prev_good = prev_good
        self.index = index
        self.damage = damage
        self.replaced = replaced
        self._names = list(positions)
        self._growing = frozenset(self.live)
        self._rows = Rows(folder, self._names, index)
        self._absent = {key for key in index.forgets if self._is_absent(key)}

    def __len__(self) -> int:
        """Count the runs that have a record."""
        return len(self.index.current) - len(self._absent)

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of those runs, in the order in which they were met."""
        return (key.decode() for key in self.index.current if key not in self._absent)

    def state(self, run_id: str) -> RunState | None:
        """Return what resuming must know of a run, or None."""
        row = self.index.current.get(run_id.encode())
        if row is None:
            return None
        head = self.index.heads[self.index.head[row]]
        return None if _is_forgotten(head) else head.state

    def states(self, run_ids: Iterable[str]) -> Iterator[RunState | None]:
        """Yield the state of each of many runs."""
        head, row_of = self.index.head, self.index.current.get
        by_head = [None if _is_forgotten(each) else each.state for each in self.index.heads]
        rows = map(row_of, map(str.encode, run_ids))
        return (None if row is None else by_head[head[row]] for row in rows)

    def forgotten(self, run_id: str) -> int:
        """Return the epoch in which a forgotten run begins anew, else 0."""
        return self.index.forgets.get(run_id.encode(), 0)

    def lines(self, run_ids: Iterable[str] | None = None) -> Iterator[bytes]:
        """Yield the current line of each run; see RunLog.lines."""
        if run_ids is None:
            for block in self.blocks():
                yield from block.split(b"\n")
            return
        for window in self._windows(run_ids):
            yield from self._rows.lines(window)

    def blocks(self, run_ids: Iterable[str] | None = None) -> Iterator[bytes]:
        """Yield what ``lines`` does, some lines at a time; see RunLog.blocks."""
        if run_ids is not None:
            for window in self._windows(run_ids):
                yield from self._rows.blocks_in_order(window)
            return
        current, absent = self.index.current, self._absent
        wanted = (row for key, row in current.items() if key not in absent)
        yield from self._rows.blocks(wanted if absent else current.values())

    def pieces(self) -> Iterator[Piece]:
        """Yield the lines of each large segment that has ended, and those of all others."""
        rest = array("Q")
        for segment, rows in self._by_segment():
            if len(rows) >= CACHED and self._names[segment] not in self._growing:
                yield self._piece(rows, segment)
            else:
                rest.extend(rows)
        if rest:
            yield Piece(len(rest), partial(self._rows.blocks, rest))

    def _by_segment(self) -> Iterator[tuple[int, Sequence[int]]]:
        """Yield the rows of current lines, those of one segment together as they were read."""
        numbers, rows = self.index.segment, self._current_rows()
        first = 0
        while first < len(rows):
            segment = numbers[rows[first]]
            after = first + self._length_of_run(rows, first, segment)
            yield segment, rows[first:after]
            first = after

    def _current_rows(self) -> Sequence[int]:
        current = self.index.current
        if not self._absent and len(current) == len(self.index.segment):
            return range(len(current))  # as in most stores: every line is a run's only one
        return sorted(row for key, row in current.items() if key not in self._absent)

    def _length_of_run(self, rows: Sequence[int], first: int, segment: int) -> int:
        numbers = self.index.segment
        if isinstance(rows, range):
            return _end_of_run(numbers, first) - first
        own = takewhile(segment.__eq__, map(numbers.__getitem__, islice(rows, first, None)))
        return len(list(own))

    def _piece(self, rows: Sequence[int], segment: int) -> Piece:
        first, after = rows[0], rows[-1] + 1
        sums = self.index.sums[first:after]
        if after - first > len(rows):
            sums = array("I", (self.index.sums[row] for row in rows))
        keep = CacheFile.of(self.folder, self._names[segment], sums)
        return Piece(len(rows), partial(self._rows.blocks, rows), keep)

    def attempts(self, run_id: str) -> list[bytes]:
        """Return every line kept of a run's attempts, oldest first, without those that began
        an attempt whose end is kept.
        """
        key = run_id.encode()
        if key not in self.index.current:
            return []
        rows = [self.index.current[key], *self.index.displaced.get(key, ())]
        return attempts_in_order(self._rows.lines(rows))

    def losses(self, run_id: str) -> list[Loss]:
        """Return the attempts at a run that were lost, in order."""
        losses = self.index.losses.get(run_id.encode(), ())
        return sorted(losses, key=lambda loss: (loss.epoch, loss.attempt, loss.writer))

    def released(self, plan: str) -> dict[int, frozenset[str]]:
        """Return the writers that gave up a unit of a plan; see RunLog.released."""
        releases = self.index.releases.items()
        return {unit: writers for (of, unit), writers in releases if of == plan}

    def subjects(self) -> Iterator[str]:
        """Yield the id of every run that any line is about; see RunLog.subjects."""
        return (key.decode() for key in self.index.subjects())

    def history(self, run_ids: Iterable[str]) -> Iterator[list[bytes]]:
        """Yield for each run all lines about it; see RunLog.history."""
        wanted = iter(run_ids)
        while window := [self.index.rows_of(run_id) for run_id in islice(wanted, _RUNS)]:
            lines = iter(self._rows.lines([row for rows in window for row in rows]))
            yield from (list(islice(lines, len(rows))) for rows in window)

    def series(self, run_id: str) -> dict[str, list[tuple[int | float, Any]]]:
        """Return the metric series of a run's current attempt."""
        rows = self.index.series.get(run_id.encode())
        if not rows or run_id not in self:
            return {}
        current = _decode(self._rows.line(self._row(run_id)))
        return fold_series(map(_decode, self._rows.lines(rows)), current)

    def derived(self, run_id: str) -> dict[str, Mapping[str, Any]]:
        """Return a run's derived values by the name of the function that made them."""
        rows = self.index.derived.get(run_id.encode())
        if not rows or run_id not in self:
            return {}
        crc = crc_of(self._rows.line(self._row(run_id)))
        return fold_derived(map(_decode, self._rows.lines(rows)), crc)

    def _is_absent(self, key: bytes) -> bool:
        return _is_forgotten(self.index.heads[self.index.head[self.index.current[key]]])

    def _windows(self, run_ids: Iterable[str]) -> Iterator[list[int]]:
        wanted = iter(run_ids)
        while window := [self._row(run_id) for run_id in islice(wanted, _WINDOW)]:
            yield window

    def _row(self, run_id: str) -> int:
        key = run_id.encode()
        if key in self._absent:
            raise KeyError(run_id)
        try:
            return self.index.current[key]
        except KeyError:
            raise KeyError(run_id) from None


def _end_of_run(numbers: array[int], first: int) -> int:
    """Return where equal numbers end that begin at a place."""
    number, after, step = numbers[first], first, _WINDOW
    while step:
        window = numbers[after : after + step]
        if window and window.count(number) == len(window):
            after += len(window)
            step *= 2
        else:
            step = min(step, len(window)) // 2
    return after


def _is_forgotten(head: Head) -> bool:
    return head.order[1] == FORGOTTEN
