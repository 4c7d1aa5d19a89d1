"""Decoding: the lines of runs as rows, with what tables show of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from metalab.identity.values import from_jsonable
from metalab.results.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Fingerprints", "FullRow", "Row", "Time", "Values", "decoded", "decoded_by_shape"]


class Fingerprints(msgspec.Struct, frozen=True, gc=False):
    """The fingerprints of what a run was given."""

    context: str = ""
    params: str = ""
    seed: str = ""


class Time(msgspec.Struct, frozen=True, gc=False):
    """When a run began and ended: ISO 8601 in UTC with microseconds."""

    start: str | None = None
    end: str | None = None


# Rows hold no cycles; kept from the garbage collector they cost half the time.
class Values(msgspec.Struct, gc=False):
    """The values that a run was given and made; names are the keys of the store's lines."""

    id: str
    index: int = 0
    params: dict[str, Any] = {}
    metrics: dict[str, Any] = {}

    def revive(self) -> None:
        """Turn tagged JSON into the values it stands for."""
        self.params = from_jsonable(self.params)
        self.metrics = from_jsonable(self.metrics)


class Row(Values, gc=False):
    """What frames show of a run."""

    status: str = ""
    attempt: int = 1
    code: str = ""
    experiment: str = ""
    seed: Any = None
    replicate: int | None = None
    time: Time = Time()
    ms: float | None = None
    tags: tuple[str, ...] = ()
    error: dict[str, str] | None = None

    def revive(self) -> None:
        """Turn tagged JSON into the values it stands for."""
        super().revive()
        self.seed = from_jsonable(self.seed)


class FullRow(Row, gc=False):
    """A row that also has the fingerprints of what the run was given."""

    fingerprints: Fingerprints = Fingerprints()


R = TypeVar("R", bound=Values)


_decoders = {kind: msgspec.json.Decoder(kind).decode_lines for kind in (Values, Row, FullRow)}
_DOLLAR = ord("$")


def decoded(blocks: Iterable[bytes], kind: type[R]) -> Iterator[list[R]]:
    """Decode blocks of lines of runs, one at a time.

    Rows are let go block by block: a hundred thousand dicts alive at once cost more time in
    the garbage collector than all the decoding.
    """
    decode: Callable[[bytes], Any] = _decoders[kind]
    for block in blocks:
        rows = decode(block)
        # A value that is no plain JSON is tagged by a key that begins with a dollar sign;
        # without one in the whole line there is nothing to revive.
        if _DOLLAR in block:
            for row, line in zip(rows, block.split(b"\n"), strict=True):
                if _DOLLAR in line:
                    row.revive()
        yield rows


def decoded_by_shape(blocks: Iterable[bytes], kind: type[R]) -> Iterator[list[R]]:
    """Decode blocks to make columns of: params and metrics are dicts, or slots of a Shape."""
    shape = Shape(kind)
    for block in blocks:
        is_plain = _DOLLAR not in block
        rows = shape.rows(block) if is_plain else None
        if rows is None:
            (rows,) = decoded([block], kind)
            if is_plain:
                shape.expect(rows[-1])
        yield rows
