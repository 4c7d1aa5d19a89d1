"""Shapes: runs with params and metrics of the same names are decoded without a dict of each.

The runs of a sweep nearly always have the same names. A class of its own, with a slot for
each name, then does what two dicts a run would do in three quarters of the time (1.75
instead of 2.35 us a run of ten params, for which a frame takes 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from metalab.results.decoding import Values

__all__ = ["Shape", "names_and_values", "names_of"]

# The slots of what is not in the expected order are searched one by one.
_MOST_NAMES = 100
_MOST_CHANGES = 20
_FIELDS = ("params", "metrics")


class Shape:
    """Decodes rows of one kind, as long as they look like the last one that was seen."""

    def __init__(self, kind: type[Values]) -> None:
        self._kind = kind
        self._names: tuple[tuple[str, ...], ...] = ()
        self._decode: Callable[[bytes], list[Any]] | None = None
        self._changes = 0

    def rows(self, block: bytes) -> list[Any] | None:
        """Return the rows of a block; None if not all have the names that are expected."""
        if self._decode is None:
            return None
        try:
            return self._decode(block)
        except msgspec.ValidationError:
            return None

    def expect(self, row: Values) -> None:
        """Expect the names of a row from now on."""
        names = tuple(row.params), tuple(row.metrics)
        if names == self._names or self._changes == _MOST_CHANGES:
            return
        self._names = names
        self._changes += 1
        self._decode = None
        if max(map(len, names)) > _MOST_NAMES:
            return
        try:
            slots = [(each, _slots(of)) for each, of in zip(_FIELDS, names, strict=True) if of]
        except ValueError:  # a name with a quote in it, say, can be a dict's alone
            return
        kind = msgspec.defstruct("Shaped", slots, bases=(self._kind,), kw_only=True, gc=False)
        self._decode = msgspec.json.Decoder(kind).decode_lines


def _slots(names: Iterable[str]) -> type[msgspec.Struct]:
    # Names need not be identifiers.
    fields = [(f"f{i}", Any, msgspec.field(name=name)) for i, name in enumerate(names)]
    return msgspec.defstruct("Slots", fields, forbid_unknown_fields=True, gc=False)


def names_of(values: msgspec.Struct | Iterable[str]) -> tuple[str, ...]:
    """Return the names of a row's params, or metrics: of a dict or of slots."""
    if isinstance(values, msgspec.Struct):
        return type(values).__struct_encode_fields__
    return tuple(values)


def names_and_values(slots: Sequence[msgspec.Struct]) -> tuple[list[str], Iterable[Sequence[Any]]]:
    """Return the names that rows of one shape have, and for each name their values."""
    names = type(slots[0]).__struct_encode_fields__
    return list(names), zip(*map(msgspec.structs.astuple, slots), strict=True)
