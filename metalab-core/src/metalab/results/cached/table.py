"""Tables: all columns of one piece of a log, as bytes and back.

A file begins with what it takes to see that it is whole: a magic, the checksum and size of
the header, and the size of all. The header, JSON, names the key of the lines, the shapes of
the runs and the columns, each with its place and checksum. Numbers are little-endian.
"""

from __future__ import annotations

import operator
import struct
import sys
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any
from zlib import crc32

import attrs
import msgspec

from metalab.results.cached.packing import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from metalab.results.cached.column import Part
    from metalab.results.cached.packing import Packed

__all__ = ["Shape", "Table", "packed_table", "table_in"]

_PRELUDE = struct.Struct("<16sIIQ")
_MAGIC = b"metalab columns1"
_ALIGNED = 64


class Shape(msgspec.Struct, frozen=True, gc=False):
    """Names in the order of a run that has exactly these, and the first such run in the plan."""

    index: int
    id: str
    params: tuple[str, ...]
    metrics: tuple[str, ...]


class _Place(msgspec.Struct, frozen=True, gc=False):
    name: str
    kind: str
    buffers: list[tuple[int, int]]
    crc: int


class _Header(msgspec.Struct, frozen=True, gc=False):
    key: str
    rows: int
    shapes: list[Shape]
    columns: list[_Place]
    span: tuple[int, int] | None = None


_encode = msgspec.json.Encoder().encode
_header_in = msgspec.json.Decoder(_Header).decode


@attrs.frozen
class Table:
    """The columns of a piece, read where they are asked for.

    ``span`` is the first and the last place in the plan of runs that stand in its order.
    """

    rows: int
    span: tuple[int, int] | None
    shapes: Sequence[Shape]
    places: Mapping[str, _Place]
    data: memoryview

    def part(self, name: str) -> Part | None:
        """Return a column of the piece; None if it is not there. ValueError if it is damaged."""
        if (place := self.places.get(name)) is None:
            return None
        buffers = [self.data[start : start + size] for start, size in place.buffers]
        if _crc(buffers) != place.crc:
            raise ValueError(f"the column {name!r} is damaged")
        return unpacked(place.kind, buffers)


def packed_table(
    key: bytes, indices: Sequence[int], shapes: Sequence[Shape], columns: Mapping[str, Packed]
) -> bytes:
    """Return the bytes of a file for runs with these places in the plan."""
    rows = len(indices)
    is_ordered = bool(indices) and all(map(operator.lt, indices, islice(indices, 1, None)))
    span = (indices[0], indices[-1]) if is_ordered else None
    places: list[_Place] = []
    parts: list[bytes] = []
    start = 0
    for name, column in columns.items():
        views = [memoryview(each).cast("B") for each in column.buffers]
        ends = list(accumulate(map(_aligned, map(len, views)), initial=start))
        buffers = list(zip(ends, map(len, views), strict=False))
        places.append(_Place(name, column.kind, buffers, _crc(views)))
        for view in views:
            parts += [bytes(view), bytes(_aligned(len(view)) - len(view))]
        start = ends[-1]
    header = _encode(_Header(key.hex(), rows, list(shapes), places, span))
    header = header.ljust(_aligned(_PRELUDE.size + len(header)) - _PRELUDE.size)  # blanks
    size = _PRELUDE.size + len(header) + start
    prelude = _PRELUDE.pack(_MAGIC, crc32(header), len(header), size)
    return b"".join([prelude, header, *parts])


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _crc(buffers: Iterable[memoryview]) -> int:
    crc = 0
    for buffer in buffers:
        crc = crc32(buffer, crc)
    return crc


def table_in(data: memoryview, key: bytes) -> Table | None:
    """Return the table in a file's bytes; None if they are not whole, or of other lines."""
    if sys.byteorder != "little" or len(data) < _PRELUDE.size:
        return None
    magic, crc, length, size = _PRELUDE.unpack_from(data)
    text = data[_PRELUDE.size : _PRELUDE.size + length]
    if magic != _MAGIC or size != len(data) or crc32(text) != crc:
        return None
    header: Any = _header_in(text)
    if header.key != key.hex():
        return None
    places = {place.name: place for place in header.columns}
    return Table(header.rows, header.span, header.shapes, places, data[_PRELUDE.size + length :])
