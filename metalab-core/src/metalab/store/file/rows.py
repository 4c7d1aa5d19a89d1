"""Rows: the bytes behind an index, read in the order of the disk."""

from __future__ import annotations

from itertools import groupby, islice
from operator import attrgetter, sub
from typing import TYPE_CHECKING

import attrs

from metalab.errors import StoreError
from metalab.store.file import disk
from metalab.store.file.content import pieces
from metalab.store.file.index import tie_of
from metalab.store.lines import parse_line
from metalab.store.reading import BLOCK_LINES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from metalab.store.file.index import Index, Tie

__all__ = ["Rows"]

_GAP = 64 << 10  # bytes that are read for nothing rather than asked for apart
_SPAN = 4 << 20
_END = b'"}'
_LINE_FEED = frozenset(b"\n")


@attrs.frozen
class _Span:
    """A stretch of a file that is read at once, and the rows in it that are wanted.

    A ``dense`` one holds them and the line feeds between them, and nothing else.
    """

    segment: int
    offset: int
    size: int
    rows: Sequence[int]
    dense: bool


class Rows:
    """The bytes behind an index's rows."""

    def __init__(self, folder: Path, names: Sequence[str], index: Index) -> None:
        self._folder = folder
        self._names = names
        self._index = index

    def line(self, row: int) -> bytes:
        """Return the line of a row."""
        return self.lines([row])[0]

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
        for span, data in self._read(self._spans(set(rows))):
            found.update(zip(span.rows, self._cut(span, data), strict=True))
        return [found[row] for row in rows]

    def blocks(self, rows: Iterable[int]) -> Iterator[bytes]:
        """Yield the lines of rows about as they lie on disk, some at a time."""
        yield from self._joined(self._spans(rows))

    def blocks_in_order(self, rows: Sequence[int]) -> Iterator[bytes]:
        """Yield the lines of rows in their order, some at a time.

        Where that is how they lie on disk, as those of a plan that one writer executed, they
        are not cut: a frame of four columns would cost a fifth more.
        """
        chunks = [rows[i : i + BLOCK_LINES] for i in range(0, len(rows), BLOCK_LINES)]
        if all(map(self._are_in_a_row, chunks)):
            yield from self._joined(self._span(chunk, dense=True) for chunk in chunks)
            return
        lines = iter(self.lines(rows))
        while block := b"\n".join(islice(lines, BLOCK_LINES)):
            yield block

    def _joined(self, spans: Iterable[_Span]) -> Iterator[bytes]:
        for span, data in self._read(spans):
            yield data if self._is_block(span, data) else b"\n".join(self._cut(span, data))

    def _read(self, spans: Iterable[_Span]) -> Iterator[tuple[_Span, bytes]]:
        for segment, group in groupby(spans, key=attrgetter("segment")):
            wanted = list(group)
            path = self._path(segment)
            found = pieces(path, [(span.offset, span.size) for span in wanted])
            try:
                yield from zip(wanted, found, strict=True)
            except OSError as error:
                if not disk.is_gone(error):
                    raise disk.explain(error, f"{path} cannot be read") from error
                raise StoreError(
                    f"{path} was removed while it was in use; read the store again"
                ) from error

    def _spans(self, rows: Iterable[int]) -> Iterator[_Span]:
        met = sorted(rows)  # which is about the order of the disk
        for first in range(0, len(met), BLOCK_LINES):
            window = met[first : first + BLOCK_LINES]
            if self._are_dense(window):
                yield self._span(window, dense=True)
            else:
                for stretch in self._stretches(sorted(window, key=self._place)):
                    yield self._span(stretch, dense=False)

    def _are_dense(self, rows: Sequence[int]) -> bool:
        """Tell whether rows are lines that lie side by side: a block that need not be cut.

        Nearly all are; cutting and joining them would double the 0.35 us a run of reading.
        """
        index, first, last = self._index, rows[0], rows[-1]
        if last - first >= len(rows) or self._end(last) - index.offset[first] > _SPAN:
            return False
        steps = map(sub, index.offset[first + 1 : last + 1], index.offset[first:last])
        side_by_side = list(steps) == [size + 1 for size in index.length[first:last]]
        return side_by_side and index.segment[first] == index.segment[last]

    def _are_in_a_row(self, rows: Sequence[int]) -> bool:
        consecutive = list(range(rows[0], rows[0] + len(rows)))
        return rows == consecutive and self._are_dense(rows)

    def _place(self, row: int) -> tuple[int, int]:
        return self._index.segment[row], self._index.offset[row]

    def _stretches(self, rows: Sequence[int]) -> Iterator[list[int]]:
        """Group rows, in the order of the disk, into those that are worth one read."""
        index = self._index
        stretch: list[int] = []
        for row in rows:
            if stretch and not (
                index.segment[row] == index.segment[stretch[0]]
                and index.offset[row] - self._end(stretch[-1]) < _GAP
                and self._end(row) - index.offset[stretch[0]] < _SPAN
            ):
                yield stretch
                stretch = []
            stretch.append(row)
        yield stretch

    def _span(self, rows: Sequence[int], *, dense: bool) -> _Span:
        start = self._index.offset[rows[0]]
        size = self._end(rows[-1]) - start
        return _Span(self._index.segment[rows[0]], start, size, rows, dense)

    def _end(self, row: int) -> int:
        return self._index.offset[row] + self._index.length[row]

    def _is_block(self, span: _Span, data: bytes) -> bool:
        """Tell whether data still is the lines of a dense span with line feeds between them."""
        if not span.dense or len(data) != span.size or not data.endswith(_END):
            return False
        starts = self._index.offset[span.rows[0] + 1 : span.rows[-1] + 1]
        return {data[start - span.offset - 1] for start in starts} <= _LINE_FEED

    def _cut(self, span: _Span, data: bytes) -> list[bytes]:
        offset, length = self._index.offset, self._index.length
        begins = [(offset[row] - span.offset, length[row]) for row in span.rows]
        lines = [data[begin : begin + size] for begin, size in begins]
        if not all(line.endswith(_END) for line in lines):
            path = self._path(span.segment)
            raise StoreError(f"{path} was changed while it was in use; read the store again")
        return lines

    def _path(self, segment: int) -> Path:
        return self._folder / self._names[segment]
