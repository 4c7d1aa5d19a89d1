"""Building: the lines of a piece become a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from metalab.results.cached.packing import packed, packed_ids, packed_moments, packed_tags
from metalab.results.cached.table import Shape, packed_table
from metalab.results.columns import MOMENTS, Columns
from metalab.results.decoding import Row
from metalab.results.shapes import Shape as Decoder, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metalab.results.cached.packing import Packed
    from metalab.store.pieces import Piece

__all__ = ["INDEX", "built"]

INDEX = "\0index"
"""The column of places in the plan; no column of a frame can have the name."""

_Names = tuple[tuple[str, ...], tuple[str, ...]]
_DOLLAR = ord("$")  # of what is tagged in JSON
_rows_in = msgspec.json.Decoder(Row).decode_lines


def built(piece: Piece, key: bytes) -> bytes | None:
    """Decode the lines of a piece and return the bytes of its table.

    None where a name begins with a dollar sign: params or metrics as a whole are tagged then.
    """
    passing = _Passing()
    try:
        columns = Columns().of(passing.noting(piece)).columns
    except _TaggedError:
        return None
    made = {name: _packed(name, values) for name, values in columns.items()}
    made[INDEX] = packed(passing.indices)
    return packed_table(key, passing.indices, list(passing.shapes.values()), made)


def _packed(name: str, values: list[Any]) -> Packed:
    if name == "run_id":
        return packed_ids(values)
    if name in MOMENTS:
        return packed_moments(values)
    return packed_tags(values) if name == "tags" else packed(values)


class _TaggedError(Exception):
    """Names do not stand for values."""


class _Passing:
    """Notes of rows that pass by what their columns do not say."""

    def __init__(self) -> None:
        self.indices: list[int] = []
        self.shapes: dict[_Names, Shape] = {}

    def noting(self, piece: Piece) -> Iterator[list[Row]]:
        shape = Decoder(Row)
        for block in piece.blocks():
            is_plain = _DOLLAR not in block
            rows: list[Any] | None = shape.rows(block) if is_plain else None
            if rows is None:
                rows = _rows_in(block)
                names = [(tuple(row.params), tuple(row.metrics)) for row in rows]
                if is_plain:
                    shape.expect(rows[-1])
            else:
                names = [(names_of(rows[0].params), names_of(rows[0].metrics))]
            self._note_all(rows, names)
            yield rows

    def _note_all(self, rows: list[Any], names: list[_Names]) -> None:
        indices = [row.index for row in rows]
        self.indices.extend(indices)
        if names.count(names[0]) == len(names):
            least = min(indices)
            first = min(row.id for row in rows if row.index == least)
            self._note(least, first, names[0])
        else:
            for row, each in zip(rows, names, strict=True):
                self._note(row.index, row.id, each)

    def _note(self, index: int, run_id: str, names: _Names) -> None:
        known = self.shapes.get(names)
        if known is None and any(name.startswith("$") for part in names for name in part):
            raise _TaggedError
        if known is None or (index, run_id) < (known.index, known.id):
            self.shapes[names] = Shape(index, run_id, *names)
