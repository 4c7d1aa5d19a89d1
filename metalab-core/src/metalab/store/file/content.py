"""The content of a segment, line by line, whether its file is plain or compressed.

Offsets are of the text, as ``cat`` or ``zcat`` prints it. A compressed file is never
appended to.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from operator import add
from typing import TYPE_CHECKING

import attrs

from metalab.errors import StoreError
from metalab.store.file import disk
from metalab.store.file.compressed import DAMAGE, Texts
from metalab.store.lines import parse_line
from metalab.store.names import split_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from metalab.store.file.compressed import Member

__all__ = [
    "Stretch",
    "closes",
    "is_closed",
    "is_compressed",
    "is_segment",
    "line_numbers",
    "offsets_of",
    "pieces",
    "stretches",
]

_CLOSE = b'{"t":"close"'
_LAST = 4096
_PLAIN, _COMPRESSED = ".jsonl", ".jsonl.gz"


@attrs.frozen
class Stretch:
    """Complete lines without their line feeds, and where they begin and end.

    ``trouble`` says why there are no lines where there should be some.
    """

    start: int
    end: int
    lines: list[bytes]
    trouble: str = ""


def is_segment(name: str) -> bool:
    """Tell whether a file of this name holds lines that count."""
    return name.endswith((_PLAIN, _COMPRESSED)) and not name.startswith(".")


def is_compressed(name: str) -> bool:
    """Tell whether a file of this name is compressed."""
    return name.endswith(_COMPRESSED)


def closes(line: bytes, name: str) -> bool:
    """Tell whether a line ends the segment of this name; one joined by hand holds others' ends."""
    document = parse_line(line) if line.startswith(_CLOSE) else None
    if document is None:
        return False
    named: object = split_part(name)
    return (document.get("writer"), document.get("part")) == named


def is_closed(path: Path) -> bool:
    """Tell whether a plain segment's last line says that its writer has ended it."""
    last = disk.read_last(path, _LAST)
    return closes(last.rstrip(b"\n").rpartition(b"\n")[2], path.name)


def stretches(path: Path, offset: int = 0) -> Iterator[Stretch]:
    """Yield what a segment holds now from an offset on; it must be where a line begins."""
    if not is_compressed(path.name):
        yield from _stretches(disk.blocks(path, offset), offset)
        return
    with disk.reading(path) as file:
        texts = Texts(file)
        for member in texts:
            if member.length is None or member.end > offset:
                yield from _within(texts, member, max(offset, member.offset))


def _within(texts: Texts, member: Member, offset: int) -> Iterator[Stretch]:
    try:
        for stretch in _stretches(texts.blocks(member, offset), offset):
            offset = stretch.end
            yield stretch
    except DAMAGE as error:
        trouble = f"the compressed data from here on is damaged or cut short ({error})"
        yield Stretch(offset, max(offset, member.end), [], trouble)


def _stretches(blocks: Iterable[bytes], offset: int) -> Iterator[Stretch]:
    begun: list[bytes] = []  # of a line that is longer than a block
    for block in blocks:
        begun.append(block)
        if b"\n" not in block:
            continue
        data = b"".join(begun)
        lines = data.split(b"\n")
        rest = lines.pop()
        begun = [rest]
        start = offset
        offset += len(data) - len(rest)
        yield Stretch(start, offset, lines)
    rest = b"".join(begun)
    # A copy may lack its last line feed; what only looks complete fails its checksum.
    if rest.endswith(b"}") and parse_line(rest) is not None:
        yield Stretch(offset, offset + len(rest), [rest])


def offsets_of(lines: Sequence[bytes], offset: int) -> list[int]:
    """Return where lines begin of which the first begins at an offset."""
    return list(map(add, accumulate(map(len, lines), initial=offset), range(len(lines))))


def pieces(path: Path, spans: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Yield pieces of a segment, each given by its offset and size; the end may cut them short.

    Raises StoreError where compressed data is damaged.
    """
    if not is_compressed(path.name):
        yield from disk.pieces(path, spans)
        return
    with disk.reading(path) as file:
        texts = Texts(file)
        for offset, size in spans:
            try:
                yield texts.piece(offset, size)
            except DAMAGE as error:
                raise StoreError(f"{path} was damaged while it was in use: {error}") from error


def line_numbers(path: Path, offsets: Sequence[int]) -> list[int]:
    """Return the numbers, from 1, of the lines that begin at ascending offsets."""
    if not is_compressed(path.name):
        return disk.line_numbers(path, offsets)
    begins = [place for each in stretches(path) for place in offsets_of(each.lines, each.start)]
    return [bisect_left(begins, offset) + 1 for offset in offsets]
