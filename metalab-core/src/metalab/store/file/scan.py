"""Reading segments: complete lines are checked and indexed, damage is told apart from growth."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from metalab.store.file import disk
from metalab.store.file.index import Index, Tie, tie_of
from metalab.store.lines import FORMAT, parse_line
from metalab.store.names import split_part

__all__ = ["Position", "Scanner"]

_START = b'{"t":"'
_RUN = b'{"t":"run","id":"'
_ID = len(_RUN)
_ID_END = _ID + 32
_TAIL = 18  # ,"crc":"01234567"}
_LAST = 4096


@attrs.frozen
class Position:
    """How far a segment was read.

    ``over`` says that it will not be asked again; ``bad`` are the offsets of complete lines
    that could not be read, with the reason.
    """

    offset: int = 0
    over: bool = False
    bad: tuple[tuple[int, str], ...] = ()


class Scanner:
    """Reads one segment on from a position and puts its lines into an index.

    ``openings`` afterwards are the ``open`` lines that were met.
    """

    def __init__(self, index: Index, path: Path, number: int, position: Position) -> None:
        self.openings: list[dict[str, Any]] = []
        self._index = index
        self._path = path
        self._number = number
        self._offset = position.offset
        self._refused = False
        self._closed: dict[str, Any] | None = None
        self._bad = [(place, why) for place, why in position.bad if place < position.offset]

    def read(self, *, sealed: bool, final: bool) -> Position:
        """Read to the end of the file, or to the first bad line of one that may still grow.

        ``sealed`` says that the file will not grow; ``final``, that what follows a bad line
        is wanted now. Raises FileNotFoundError if the file is gone.
        """
        waits: int | None = None
        for offset, lines in self._blocks():
            for place, line in self._absorb(lines, offset):
                if waits is None and not (sealed or self._ends_closed()):
                    waits = place
                    if not final:
                        return self._position(place)
                self._note_bad(place, line)
            if self._refused:
                break
        return self._position(self._offset if waits is None else waits)

    def _blocks(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield complete lines without their line feeds, and the offset of the first."""
        rest = b""
        for block in disk.blocks(self._path, self._offset):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            start = self._offset
            self._offset += sum(map(len, lines)) + len(lines)
            yield start, lines
        # A copy may lack its last line feed; what only looks complete fails its checksum.
        if rest.endswith(b"}") and parse_line(rest) is not None:
            start = self._offset
            self._offset += len(rest)
            yield start, [rest]

    def _position(self, offset: int) -> Position:
        over = self._refused or (self._closed is not None and self._is_own(self._closed))
        return Position(offset, over, tuple(self._bad))

    def _is_own(self, closing: dict[str, Any]) -> bool:
        # In a file that was joined by hand, another file's end is nothing special.
        return (closing.get("writer"), closing.get("part")) == split_part(self._path.name)

    def _absorb(self, lines: list[bytes], offset: int) -> list[tuple[int, bytes]]:
        """Index lines and return those that are damaged."""
        index, number = self._index, self._number
        damaged = []
        for line in lines:
            if line[-_TAIL:] != b',"crc":"%08x"}' % crc32(line[:-_TAIL]):
                if line:
                    damaged.append((offset, line))
            else:
                cut = line.find(b',"writer":"', _ID_END) if line[:_ID] == _RUN else -1
                head = index.head_of(line[_ID_END:cut]) if cut > 0 else None
                if head is None:
                    if not self._absorb_other(line, offset):
                        damaged.append((offset, line))
                    if self._refused:
                        break
                else:
                    self._closed = None
                    row = index.add_row(number, offset, len(line), head)
                    index.add_record(line[_ID:_ID_END], row, partial(_tie_in, line))
            offset += len(line) + 1
        return damaged

    def _absorb_other(self, line: bytes, offset: int) -> bool:
        """Index a line that is no plain record; False if nothing can be made of it."""
        document = parse_line(line)
        if document is None:
            return False
        kind = document.get("t")
        self._closed = document if kind == "close" else None
        if kind == "open":
            return self._open(document, offset)
        return self._index.add_document(document, self._number, offset, len(line))

    def _open(self, document: dict[str, Any], offset: int) -> bool:
        self.openings.append(document)
        if document.get("format", FORMAT) > FORMAT:
            self._refused = True
            self._bad.append((offset, _newer(document)))
        return True

    def _note_bad(self, offset: int, line: bytes) -> None:
        # Files that were joined by hand may have glued half a line to a whole one.
        glued = line.rfind(_START, 1)
        if glued > 0 and not self._absorb([line[glued:]], offset + glued):
            return
        self._bad.append((offset, "the line is damaged: its checksum does not match"))

    def _ends_closed(self) -> bool:
        """Tell whether the last line of the file says that its writer has ended it."""
        last = disk.read_last(self._path, _LAST).rstrip(b"\n").rpartition(b"\n")[2]
        document = parse_line(last)
        return document is not None and document.get("t") == "close"


def _tie_in(line: bytes) -> Tie:
    document = parse_line(line)
    return ("", 0, 0) if document is None else tie_of(document)


def _newer(document: dict[str, Any]) -> str:
    return (
        f"the segment is of format {document['format']}, this metalab reads formats up to "
        f"{FORMAT}: upgrade it with pip install -U metalab"
    )
