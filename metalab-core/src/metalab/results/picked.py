"""Picked columns: of each run's line nothing is decoded but what was asked for."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from metalab.identity.values import from_jsonable
from metalab.results.columns import (
    RECORD_COLUMNS,
    RECORD_FIELDS,
    Columns,
    record_column,
    value_of_column,
)
from metalab.results.decoding import Row, decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Picked"]

_DOLLAR = ord("$")
_TAGGED = b'{"$dict":'  # params or metrics with a name that JSON cannot hold, or a value with one


class Picked:
    """Columns by the names they have in a frame; ``columns`` grows while rows pass by."""

    def __init__(self, names: Iterable[str]) -> None:
        self.columns: dict[str, list[Any]] = {name: [] for name in names}
        self._values: dict[str, Callable[[Any], Any]] = {}
        fields = _fields_of([name for name in self.columns if name in RECORD_COLUMNS])
        for section in ("params", "metrics"):
            fields += self._section(section)
        row = msgspec.defstruct("PickedRow", fields, kw_only=True, gc=False)
        self._decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(row).decode_lines

    def rows(self, blocks: Iterable[bytes]) -> Iterator[list[Any]]:
        """Yield the rows of blocks of lines: they have an id and an index, and what was picked."""
        for block in blocks:
            if _TAGGED in block:
                yield self._whole_rows(block)
                continue
            rows = self._decode(block)
            for name, column in self.columns.items():
                values = self._column(name, rows)
                # Without a dollar sign in the block no value is tagged JSON.
                column.extend(map(_revived, values) if _DOLLAR in block else values)
            yield rows

    def _whole_rows(self, block: bytes) -> list[Any]:
        (rows,) = decoded([block], Row)
        made = Columns().of([rows]).columns
        for name, column in self.columns.items():
            column.extend(made.get(name) or [None] * len(rows))
        return list(rows)

    def _column(self, name: str, rows: list[Any]) -> Iterable[Any]:
        if name in self._values:
            return map(self._values[name], rows)
        # No value can be in a column of any other name.
        return record_column(name, rows) if name in RECORD_COLUMNS else [None] * len(rows)

    def _section(self, section: str) -> list[Any]:
        """Return the field of params, or of metrics, if any of them is picked."""
        places = {name: value_of_column(name) for name in self.columns}
        keys = {name: place[1] for name, place in places.items() if place and place[0] == section}
        if not keys:
            return []
        # Names need not be identifiers.
        slots = [
            (f"f{i}", Any, msgspec.field(name=key, default=None))
            for i, key in enumerate(keys.values())
        ]
        try:
            made = msgspec.defstruct("PickedValues", slots, frozen=True, gc=False)
        except ValueError:  # a name with a quote in it, say, can be a dict's alone
            self._values |= {name: _item(section, key) for name, key in keys.items()}
            return [(section, dict[str, Any], msgspec.field(default_factory=dict))]
        self._values |= {name: attrgetter(f"{section}.f{i}") for i, name in enumerate(keys)}
        return [(section, made, made())]


def _fields_of(columns: Iterable[str]) -> list[Any]:
    known = {field.name: field for field in msgspec.structs.fields(Row)}
    wanted = dict.fromkeys(["index", *(RECORD_FIELDS[name] for name in columns)])
    optional = [known[name] for name in wanted if name != "id"]
    return [("id", str), *((field.name, field.type, field.default) for field in optional)]


def _item(section: str, key: str) -> Callable[[Any], Any]:
    return lambda row: getattr(row, section).get(key)


def _revived(value: Any) -> Any:
    return from_jsonable(value) if isinstance(value, (dict, list)) else value
