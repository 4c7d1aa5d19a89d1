"""Reading a log by its tables: those that are kept, and those that are made on the way."""

from __future__ import annotations

import sys
from array import array
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import attrs

from metalab.results.cached.building import INDEX, built
from metalab.results.cached.column import Column, Listed, Numbers
from metalab.results.cached.table import table_in
from metalab.results.columns import RECORD_COLUMNS, Columns, metric_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from metalab.results.cached.column import Part
    from metalab.results.cached.table import Table
    from metalab.store.pieces import Piece
    from metalab.store.reading import RunLog

__all__ = ["CachedColumns"]

_MOST = 2  # of so many runs one may be in a piece that changes, and is decoded each time
_MOST_UNBUILT = 8  # the same where a few columns are wanted, which are decoded faster


@attrs.define
class _Kept:
    """A piece and its table, which is made anew where a column of it is damaged."""

    piece: Piece
    table: Table

    def part(self, name: str) -> Part:
        try:
            part = self.table.part(name)
        except ValueError:
            self.table = _made(self.piece) or self.table
            part = self.table.part(name)
        return Listed([None] * self.table.rows) if part is None else part


@attrs.frozen
class CachedColumns:
    """The columns of a log, by the tables of its pieces."""

    tables: Sequence[_Kept]

    @classmethod
    def of(cls, log: RunLog, *, build: bool) -> CachedColumns | None:
        """Take what is kept beside a log, and with ``build`` make what is missing.

        None where that is not worth it: too many runs are in pieces that may change, or
        without ``build`` anything is missing.
        """
        pieces = list(log.pieces()) if sys.byteorder == "little" else []
        changing = sum(piece.size for piece in pieces if piece.keep is None)
        if not pieces or changing * (_MOST if build else _MOST_UNBUILT) > len(log):
            return None
        found = []
        for piece in pieces:
            table = _kept(piece)
            if table is None and not (build or piece.keep is None):
                return None
            table = table or _made(piece)
            if table is None:
                return None
            found.append(_Kept(piece, table))
        # Mostly they then follow each other as the plan has it.
        found.sort(key=lambda each: min((shape.index for shape in each.table.shapes), default=0))
        return cls(found)

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return [*RECORD_COLUMNS, *self._values(Columns())]

    def names_of(self, section: str) -> list[str]:
        """Return the names of params, or of metrics, as the runs of the plan first have them."""
        shapes = chain.from_iterable(each.table.shapes for each in self.tables)
        ordered = sorted(shapes, key=lambda shape: (shape.index, shape.id))
        return list(dict.fromkeys(name for each in ordered for name in getattr(each, section)))

    @property
    def is_uniform(self) -> bool:
        """Whether all runs have the same names in the same order, so that any of them do."""
        shapes = (shape for each in self.tables for shape in each.table.shapes)
        return len({(shape.params, shape.metrics) for shape in shapes}) == 1

    def columns(self, wanted: Columns, chosen: Sequence[str] | None) -> dict[str, Sequence[Any]]:
        """Make the columns that are wanted, of the chosen runs or of all in the plan's order."""
        names = [*(RECORD_COLUMNS if wanted.record else ()), *self._values(wanted)]
        return self.named(names, chosen)

    def named(self, names: Iterable[str], chosen: Sequence[str] | None) -> dict[str, Sequence[Any]]:
        """Make the columns of these names; those that no run has are None throughout."""
        order = self._order() if chosen is None else self._places(chosen)
        return {name: Column(self._parts(name), order) for name in names}

    def _parts(self, name: str) -> list[Part]:
        return [each.part(name) for each in self.tables]

    def _values(self, wanted: Columns) -> Iterable[str]:
        if wanted.params:
            yield from (f"param_{name}" for name in self.names_of("params"))
        if wanted.metrics:
            yield from map(metric_column, self.names_of("metrics"))

    def _order(self) -> Sequence[int] | None:
        """Return which row stands where in the order of the plan; None if all do already."""
        if self._is_ordered:
            return None
        indices = array("q")
        for part in self._parts(INDEX):
            if isinstance(part, Numbers):
                indices.frombytes(part.data.cast("B"))
            else:
                indices.extend(part.values())
        rows: Iterable[int] = range(len(indices))
        if len(set(indices)) < len(indices):
            rows = sorted(rows, key=self._ids().__getitem__)
        return memoryview(array("q", sorted(rows, key=indices.__getitem__)))

    @property
    def _is_ordered(self) -> bool:
        """Whether the rows stand in the order of the plan as they are."""
        spans = [each.table.span for each in self.tables]
        return None not in spans and all(
            one and other and one[1] < other[0] for one, other in pairwise(spans)
        )

    def _places(self, chosen: Sequence[str]) -> Sequence[int]:
        places = {run_id: place for place, run_id in enumerate(self._ids())}
        return memoryview(array("q", map(places.__getitem__, chosen)))

    def _ids(self) -> list[str]:
        return list(chain.from_iterable(part.values() for part in self._parts("run_id")))


def _kept(piece: Piece) -> Table | None:
    if piece.keep is None or (data := piece.keep.load()) is None:
        return None
    return table_in(data, piece.keep.key)


def _made(piece: Piece) -> Table | None:
    key = piece.keep.key if piece.keep else b""
    if (data := built(piece, key)) is None:
        return None
    if piece.keep:
        piece.keep.save([data])
    return table_in(memoryview(data), key)
