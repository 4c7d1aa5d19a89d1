"""Compressed segments: gzip files whose lines can be found without reading all before them.

What metalab compresses is a row of gzip members of about 1 MiB of whole lines each, which
``zcat``, jq and duckdb read as one stream. Each member's header says how long it is, so a
reader hops from one to the next. A gzip file of anybody else's is read, too, as a stream.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

import attrs

from metalab.store.file import disk

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DAMAGE", "Member", "Texts", "compress", "members"]

DAMAGE = (zlib.error, EOFError, gzip.BadGzipFile)
"""What reading raises where the compressed bytes are damaged or cut short."""

_LEVEL = 6
# Identification, deflate, a field of ours: its name "ml", and the lengths of member and text.
_header = struct.Struct("<4s4xBBH2sHII")
_START = b"\x1f\x8b\x08\x04"
_UNKNOWN_SYSTEM = 255
_FIELD = b"ml"
_FIELD_SIZE = 8
_trailer = struct.Struct("<II")


@attrs.frozen
class Member:
    """A stretch of a gzip file: where it lies, and where its text lies in the whole text.

    ``length`` is None where nothing says how long the text is: there the rest of the file
    is one stream of another program's.
    """

    start: int
    size: int
    offset: int
    length: int | None

    @property
    def end(self) -> int:
        """Where its text ends, as far as that is known."""
        return self.offset + (self.length or 0)


def compress(text: bytes) -> bytes:
    """Return a gzip member that says how long it is; the text must be less than 4 GiB."""
    deflate = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS)
    data = deflate.compress(text) + deflate.flush()
    size = _header.size + len(data) + _trailer.size
    field = (4 + _FIELD_SIZE, _FIELD, _FIELD_SIZE, size, len(text))
    header = _header.pack(_START, 0, _UNKNOWN_SYSTEM, *field)
    return header + data + _trailer.pack(zlib.crc32(text), len(text))


def members(file: BinaryIO) -> list[Member]:
    """List the members of an open file in order; the last may be a stream of another's."""
    found: list[Member] = []
    start = offset = 0
    end = file.seek(0, 2)
    while start < end:
        member = _member_at(file, start, offset, end)
        found.append(member)
        start, offset = start + member.size, member.end
    return found


def _member_at(file: BinaryIO, start: int, offset: int, end: int) -> Member:
    file.seek(start)
    header = file.read(_header.size)
    if len(header) == _header.size:
        begin, _, _, extra, field, field_size, size, length = _header.unpack(header)
        told = (begin, extra, field, field_size)
        ours = told == (_START, 4 + _FIELD_SIZE, _FIELD, _FIELD_SIZE)
        if ours and _header.size < size <= end - start:
            return Member(start, size, offset, length)
    return Member(start, end - start, offset, None)


class Texts:
    """The text of an open gzip file, by offsets into it; reading raises one of DAMAGE."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._members = members(file)
        self._held: tuple[Member, bytes] | None = None
        self._stream: gzip.GzipFile | None = None

    def __iter__(self) -> Iterator[Member]:
        """Yield the members."""
        return iter(self._members)

    def blocks(self, member: Member, offset: int) -> Iterator[bytes]:
        """Yield a member's text from an offset into the whole text on, in blocks."""
        if member.length is not None:
            yield self._text(member)[max(offset - member.offset, 0) :]
            return
        stream = self._streamed(member, max(offset, member.offset))
        while block := stream.read1(disk.BLOCK):
            yield block

    def piece(self, offset: int, size: int) -> bytes:
        """Return a piece of the text; the end may cut it short."""
        found = b""
        for member in self._members:
            begin, end = max(offset, member.offset), offset + size
            if member.length is None and begin < end:
                found += self._streamed(member, begin).read(end - begin)
            elif begin < min(end, member.end):
                found += self._text(member)[begin - member.offset : end - member.offset]
        return found

    def _text(self, member: Member) -> bytes:
        if self._held is None or self._held[0] != member:
            self._file.seek(member.start)
            text = zlib.decompress(self._file.read(member.size), wbits=16 + zlib.MAX_WBITS)
            if len(text) != member.length:
                raise zlib.error("the text is not as long as its header says")
            self._held = member, text
        return self._held[1]

    def _streamed(self, member: Member, offset: int) -> gzip.GzipFile:
        """Return the stream of a member at an offset; going back begins it anew."""
        if self._stream is None:
            self._stream = gzip.GzipFile(fileobj=_Rest(self._file, member.start), mode="rb")
        self._stream.seek(offset - member.offset)
        return self._stream


class _Rest:
    """An open file from a place on, for a reader that shares the file with others."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file = file
        self._start = start
        self._place = 0

    def read(self, size: int = -1) -> bytes:
        self._file.seek(self._start + self._place)
        data = self._file.read(size)
        self._place += len(data)
        return data

    def seek(self, place: int, whence: int = 0) -> int:
        if whence == 1:
            place += self._place
        self._place = place
        return place

    def seekable(self) -> bool:
        return True
