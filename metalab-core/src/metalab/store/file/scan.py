"""Reading segments: complete lines are checked and indexed, damage is told apart from growth."""

from __future__ import annotations

import sys
from array import array
from binascii import crc32, hexlify
from itertools import compress
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from metalab.store.file import disk
from metalab.store.file.content import closes, is_closed, is_compressed, offsets_of, stretches
from metalab.store.file.index import ID, RUN
from metalab.store.lines import FORMAT, TAIL, parse_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Position", "Scanner", "Sink"]

_START = b'{"t":"'
_DAMAGED = "the line is damaged: its checksum does not match, or it lacks what it needs"


@attrs.frozen
class Position:
    """How far a segment was read.

    ``over`` says that it will not be asked again; ``bad`` are the offsets of complete lines
    that could not be read, with the reason. Where a bad line may yet become good, ``offset``
    is that line's, ``waits`` its bytes' checksum and length, ``known`` the offsets of the
    lines read beyond it, and ``size`` how far the file reached then; of a compressed file
    ``size`` is always that of the file itself.
    """

    offset: int = 0
    over: bool = False
    bad: tuple[tuple[int, str], ...] = ()
    waits: tuple[int, int] | None = None
    known: frozenset[int] = frozenset()
    size: int = 0

    def reach(self, name: str) -> int:
        """Return the size that the file of that name had at least."""
        return self.size if is_compressed(name) else max(self.offset, self.size)

    def has_news(self, path: Path, size: int, *, final: bool) -> bool:
        """Tell whether a file, now of that size, has something to read or to report."""
        if is_compressed(path.name):
            return size != self.size
        if self.waits is None or size != self.size:
            return size > self.offset
        if final and not any(place == self.offset for place, _ in self.bad):
            return True
        crc, length = self.waits
        return crc32(disk.read_from(path, self.offset, length)) != crc


class Sink(Protocol):
    """What the good lines of segments are put into."""

    def add_records(
        self, segment: int, offsets: Sequence[int], lines: Sequence[bytes]
    ) -> list[tuple[int, bytes]]:
        """Take checked lines that begin as ``run`` lines do; returns those that only look so."""

    def add_document(
        self, document: dict[str, Any], segment: int, offset: int, length: int
    ) -> bool:
        """Take a line that was parsed; False if it says nothing understandable."""


class Scanner:
    """Reads one segment on from a position and puts its lines into a sink.

    ``openings`` afterwards are the ``open`` lines that were met.
    """

    def __init__(self, index: Sink, path: Path, number: int, position: Position) -> None:
        self.openings: list[dict[str, Any]] = []
        self._index = index
        self._path = path
        self._number = number
        self._offset = position.offset
        self._refused = False
        self._troubled = False
        self._last = b""
        self._known = position.known
        self._beyond: list[int] = []
        self._bad = [(place, why) for place, why in position.bad if place < position.offset]
        self._waits: tuple[int, bytes] | None = None

    def read(self, *, sealed: bool, final: bool) -> Position:
        """Read to the end of the file; raises FileNotFoundError if it is gone.

        A bad line of a file that may still grow may be data that is yet to come: what
        follows it counts, but the next read begins with it again, and only a ``final`` one
        calls it damage. ``sealed`` says that the file will not grow.
        """
        for _ in self.steps(sealed=sealed, final=final):
            pass
        return self.position

    @property
    def position(self) -> Position:
        """How far the segment was read; another scanner may go on from there."""
        return self._position() if self._waits is None else self._waiting_at(*self._waits)

    def steps(self, *, sealed: bool, final: bool) -> Iterator[None]:
        """Read as ``read`` does, and pause after each stretch of lines, with ``position`` there."""
        for stretch in stretches(self._path, self._offset):
            offset, lines, self._offset = stretch.start, stretch.lines, stretch.end
            if stretch.trouble:
                self._bad.append((offset, stretch.trouble))
                self._troubled = True
                continue
            self._last = lines[-1] if lines else self._last
            damaged = [rest for bad in self._absorb(lines, offset) for rest in self._rest_of(*bad)]
            for place, line in damaged:
                if self._waits is None and not (sealed or is_closed(self._path)):
                    self._waits = place, line
                if self._waits is None or final:
                    self._bad.append((place, _DAMAGED))
            if self._waits is not None:
                self._beyond += set(offsets_of(lines, offset)) - {place for place, _ in damaged}
            yield
            if self._refused:
                break

    @property
    def is_whole(self) -> bool:
        """Whether every line up to the one that ends this very segment was good."""
        return closes(self._last, self._path.name) and not (self._bad or self._refused)

    def _position(self) -> Position:
        if is_compressed(self._path.name):
            # Nobody appends to it, but a copy of it may still be on its way.
            size = disk.size_of(self._path)
            return Position(self._offset, not self._troubled, tuple(self._bad), size=size)
        over = self._refused or closes(self._last, self._path.name)
        return Position(self._offset, over, tuple(self._bad))

    def _waiting_at(self, place: int, line: bytes) -> Position:
        known = self._known.union(self._beyond)
        waits = crc32(line), len(line)
        return Position(place, False, tuple(self._bad), waits, known, self._offset)

    def _absorb(self, lines: list[bytes], offset: int) -> list[tuple[int, bytes]]:
        """Index lines and return those that are damaged, by offset."""
        offsets = offsets_of(lines, offset)
        if self._known:
            new = [place not in self._known for place in offsets]
            offsets, lines = list(compress(offsets, new)), list(compress(lines, new))
        records = [line[:ID] == RUN for line in lines]
        others: list[tuple[int, bytes]] = []
        if not all(records):
            others = [
                (place, line)
                for place, line, record in zip(offsets, lines, records, strict=True)
                if not record
            ]
            offsets, lines = list(compress(offsets, records)), list(compress(lines, records))
        damaged = self._absorb_others(others)
        if self._refused:
            return damaged
        wrong = self._absorb_records(offsets, lines)
        return sorted(damaged + wrong) if damaged and wrong else damaged or wrong

    def _absorb_records(self, offsets: list[int], lines: list[bytes]) -> list[tuple[int, bytes]]:
        sums = array("I", map(crc32, [line[:-TAIL] for line in lines]))
        if sys.byteorder == "little":
            sums.byteswap()
        said = b"".join([line[-TAIL:] for line in lines])
        wrong: list[tuple[int, bytes]] = []
        if said != _tails(hexlify(sums)):
            right = [parse_line(line) is not None for line in lines]
            wrong = [
                (place, line)
                for place, line, good in zip(offsets, lines, right, strict=True)
                if not good
            ]
            offsets, lines = list(compress(offsets, right)), list(compress(lines, right))
        odd = self._index.add_records(self._number, offsets, lines)
        return sorted(wrong + self._absorb_others(odd)) if odd else wrong

    def _absorb_others(self, lines: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        damaged = []
        for offset, line in lines:
            if line and not self._absorb_other(line, offset):
                damaged.append((offset, line))
            if self._refused:
                break
        return damaged

    def _absorb_other(self, line: bytes, offset: int) -> bool:
        """Index a line that is no plain record; False if nothing can be made of it."""
        document = parse_line(line)
        if document is None:
            return False
        if document.get("t") == "open":
            return self._open(document, offset)
        return self._index.add_document(document, self._number, offset, len(line))

    def _open(self, document: dict[str, Any], offset: int) -> bool:
        self.openings.append(document)
        if document.get("format", FORMAT) > FORMAT:
            self._refused = True
            self._bad.append((offset, _newer(document)))
        return True

    def _rest_of(self, offset: int, line: bytes) -> Sequence[tuple[int, bytes]]:
        """Index what is whole in a damaged line, and return what is left of it.

        Two lines are one if the first was torn and files were joined by hand, or if the
        line feed between them is damaged.
        """
        start = line.rfind(_START, 1)
        if start < 0 or self._absorb([line[start:]], offset + start):
            return [(offset, line)]
        self._beyond.append(offset + start)
        return self._absorb([line[: start - 1]], offset) and [(offset, line[:start])]


def _tails(sums: bytes) -> bytearray:
    """Return the ends that lines with these checksums, 8 hex digits each, have."""
    tails = bytearray(b',"crc":"........"}' * (len(sums) // 8))
    for digit in range(8):
        tails[8 + digit :: TAIL] = sums[digit::8]
    return tails


def _newer(document: dict[str, Any]) -> str:
    return (
        f"the segment is of format {document['format']}, this metalab reads formats up to "
        f"{FORMAT}: upgrade it with pip install -U metalab"
    )
