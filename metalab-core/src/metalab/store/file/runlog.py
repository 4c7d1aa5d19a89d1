"""The folded lines of an experiment's segments, read on demand from where the index says."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from metalab.errors import StoreError
from metalab.store.base import Damage, RunLog, RunState
from metalab.store.file import disk
from metalab.store.file.index import Index, Tie, tie_of
from metalab.store.fold import FORGOTTEN, attempts_in_order, fold_derived, fold_series
from metalab.store.lines import crc_of, parse_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from metalab.store.file.scan import Position

__all__ = ["FileRunLog", "Rows"]

_WINDOW = 8192  # lines that are read together when an order is asked for
_GAP = 64 << 10  # bytes that are read for nothing rather than asked for apart
_SPAN = 4 << 20
_decode = msgspec.json.Decoder().decode


class Rows:
    """The bytes behind an index's rows."""

    def __init__(self, folder: Path, names: Sequence[str], index: Index) -> None:
        self._folder = folder
        self._names = names
        self._index = index

    def line(self, row: int) -> bytes:
        """Return the line of a row."""
        return self._read_span(self._index.segment[row], [row])[0]

    def tie(self, row: int) -> Tie:
        """Return what decides between this row's line and one of equal order."""
        try:
            document = parse_line(self.line(row))
        except StoreError:  # its file is gone: whatever is there wins
            document = None
        return ("", 0, 0) if document is None else tie_of(document)

    def lines(self, rows: Sequence[int]) -> list[bytes]:
        """Return the lines of rows in their order, reading each file from front to back."""
        found: dict[int, bytes] = {}
        for segment, span in self._spans(sorted(set(rows), key=self._place)):
            found.update(zip(span, self._read_span(segment, span), strict=True))
        return [found[row] for row in rows]

    def in_place(self, rows: Iterable[int]) -> Iterator[bytes]:
        """Yield the lines of rows in the order in which they lie on disk."""
        for segment, span in self._spans(sorted(rows, key=self._place)):
            yield from self._read_span(segment, span)

    def _place(self, row: int) -> tuple[int, int]:
        return self._index.segment[row], self._index.offset[row]

    def _spans(self, rows: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """Group sorted rows into stretches of a file that are worth one read."""
        index = self._index
        span: list[int] = []
        for row in rows:
            if span and not (
                index.segment[row] == index.segment[span[0]]
                and index.offset[row] - self._end(span[-1]) < _GAP
                and self._end(row) - index.offset[span[0]] < _SPAN
            ):
                yield index.segment[span[0]], span
                span = []
            span.append(row)
        if span:
            yield index.segment[span[0]], span

    def _end(self, row: int) -> int:
        return self._index.offset[row] + self._index.length[row]

    def _read_span(self, segment: int, rows: Sequence[int]) -> list[bytes]:
        path = self._folder / self._names[segment]
        start = self._index.offset[rows[0]]
        try:
            data = disk.read_from(path, start, self._end(rows[-1]) - start)
        except FileNotFoundError as error:
            raise StoreError(
                f"{path} was removed while it was in use; read the store again"
            ) from error
        offset, length = self._index.offset, self._index.length
        begins = [(offset[row] - start, length[row]) for row in rows]
        lines = [data[begin : begin + size] for begin, size in begins]
        if not all(line.endswith(b'"}') for line in lines):
            raise StoreError(f"{path} was changed while it was in use; read the store again")
        return lines


class FileRunLog(RunLog):
    """What ``FileStore.read`` returns."""

    def __init__(
        self,
        folder: Path,
        positions: Mapping[str, Position],
        prev_good: Mapping[tuple[str, int], int],
        index: Index,
        damage: tuple[Damage, ...],
    ) -> None:
        self.folder = folder
        self.positions = positions
        self.prev_good = prev_good
        self.index = index
        self.damage = damage
        self._rows = Rows(folder, list(positions), index)
        self._absent = {key for key in index.forgets if self._is_forgotten(index.current[key])}

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
        return None if self._is_forgotten(row) else self.index.heads[self.index.head[row]].state

    def forgotten(self, run_id: str) -> int:
        """Return the epoch in which a forgotten run begins anew, else 0."""
        return self.index.forgets.get(run_id.encode(), 0)

    def lines(self, run_ids: Iterable[str] | None = None) -> Iterator[bytes]:
        """Yield the current line of each run; see RunLog.lines."""
        if run_ids is None:
            absent = self._absent
            rows = (row for key, row in self.index.current.items() if key not in absent)
            yield from self._rows.in_place(rows)
            return
        wanted = iter(run_ids)
        while window := [self._row(run_id) for run_id in islice(wanted, _WINDOW)]:
            yield from self._rows.lines(window)

    def attempts(self, run_id: str) -> list[bytes]:
        """Return every line kept of a run's attempts, oldest first, without those that began
        an attempt whose end is kept.
        """
        key = run_id.encode()
        if key not in self.index.current:
            return []
        rows = [self.index.current[key], *self.index.displaced.get(key, ())]
        return attempts_in_order(self._rows.lines(rows))

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

    def _is_forgotten(self, row: int) -> bool:
        return self.index.heads[self.index.head[row]].order[1] == FORGOTTEN

    def _row(self, run_id: str) -> int:
        key = run_id.encode()
        if key in self._absent:
            raise KeyError(run_id)
        try:
            return self.index.current[key]
        except KeyError:
            raise KeyError(run_id) from None
