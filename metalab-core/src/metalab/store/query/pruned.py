"""Rows that hold no more of a run than a query asks for, decoded from the lines of a store."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from metalab.errors import QueryError, StoreError
from metalab.identity.values import from_jsonable
from metalab.store.query.expression import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from metalab.store.query.lines import Lines

    Getter = Callable[[Any], Any]

__all__ = ["RECORD", "Pruned", "check_meaning", "names_in"]

_TAGGED = "$dict"  # a dict whose names JSON cannot hold is kept under this name
_SECTIONS = ("params", "metrics")


def _error(row: Any) -> str | None:
    return None if row.error is None else f"{row.error.get('type')}: {row.error.get('message')}"


RECORD: dict[str, tuple[str, Getter]] = {
    "run_id": ("id", attrgetter("id")),
    "index": ("index", lambda row: max(row.index, 0)),
    "experiment_id": ("experiment", attrgetter("experiment")),
    "status": ("status", attrgetter("status")),
    "started_at": ("time", lambda row: (row.time or {}).get("start")),
    "finished_at": ("time", lambda row: (row.time or {}).get("end")),
    "duration_ms": ("ms", attrgetter("ms")),
    "seed": ("seed", lambda row: from_jsonable(row.seed)),
    "replicate": ("replicate", attrgetter("replicate")),
    "attempt": ("attempt", attrgetter("attempt")),
    "code_hash": ("code", lambda row: row.code or None),
    "tags": ("tags", attrgetter("tags")),
    "notes": ("notes", attrgetter("notes")),
    "error": ("error", _error),
    "error.type": ("error", lambda row: (row.error or {}).get("type")),
    "error.message": ("error", lambda row: (row.error or {}).get("message")),
}
"""The columns of the record: the key of the line that each needs, and how it is taken."""


class Pruned:
    """Decodes the columns asked for, and finds out what the bare names among them mean.

    ``fields`` are the keys of a line that are decoded, with those within params and metrics.
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        wanted = dict.fromkeys(columns)
        self._bare = [each for each in wanted if not each.section and each.name not in RECORD]
        names = {
            section: [c.name for c in wanted if c.section == section or c in self._bare]
            for section in _SECTIONS
        }
        keys = {RECORD[c.name][0] for c in wanted if not c.section and c.name in RECORD}
        sections = {
            section: _Section.of(section, list(dict.fromkeys(of)))
            for section, of in names.items()
            if of
        }
        kind = _row(sorted(keys), sections)
        self.fields = {"": kind.__struct_encode_fields__} | {
            name: section.fields for name, section in sections.items()
        }
        self._decode = msgspec.json.Decoder(kind).decode_lines
        self._within = {name: section.getters for name, section in sections.items()}
        self.getters = {column: self._getter(column) for column in wanted}
        self._seen: dict[Column, set[str]] = {column: set() for column in self._bare}

    def rows(self, lines: Lines) -> Iterator[Any]:
        """Yield the row of each run; raises QueryError at the end if a bare name means nothing."""
        for rows in map(self.decoded, lines.blocks()):
            self._note(rows)
            yield from rows
        for column, seen in self._seen.items():
            if len(lines):
                check_meaning(column, seen, lambda: names_in(lines.blocks()))

    def decoded(self, block: bytes) -> list[Any]:
        """Return the rows of some lines."""
        try:
            rows: list[Any] = self._decode(block)
        except msgspec.MsgspecError as error:
            raise StoreError(
                f"a line of the store is not as this version of metalab writes it: {error}"
            ) from error
        return rows

    def _getter(self, column: Column) -> Getter:
        if column.section:
            return self._within[column.section][column.name]
        if column.name in RECORD:
            return RECORD[column.name][1]
        given, made = (self._within[section][column.name] for section in _SECTIONS)

        def either(row: Any) -> Any:
            found = given(row)
            return made(row) if found is None else found

        return either

    def _note(self, rows: Sequence[Any]) -> None:
        for column, seen in self._seen.items():
            for section in _SECTIONS:
                if section not in seen:
                    get = self._within[section][column.name]
                    if any(get(row) is not None for row in rows):
                        seen.add(section)


def _row(keys: Sequence[str], sections: Mapping[str, _Section]) -> type[msgspec.Struct]:
    fields: list[Any] = [("id", str), ("index", int, 0)]
    fields += [(key, Any, None) for key in keys if key not in {"id", "index"}]
    fields += [
        (name, each.kind, msgspec.field(default_factory=each.kind))
        for name, each in sections.items()
    ]
    return msgspec.defstruct("Row", fields, gc=False)


@attrs.frozen
class _Section:
    """How params or metrics are decoded: into slots, or, where a name forbids it, a dict."""

    kind: type[Any]
    fields: tuple[str, ...]
    getters: dict[str, Getter]

    @classmethod
    def of(cls, section: str, names: Sequence[str]) -> _Section:
        slots: list[Any] = [("tagged", Any, msgspec.field(name=_TAGGED, default=None))]
        slots += [
            (f"f{place}", Any, msgspec.field(name=name, default=None))
            for place, name in enumerate(names)
        ]
        try:
            kind = msgspec.defstruct("Slots", slots, gc=False)
        except ValueError:  # a name with a quote in it, say, can be a dict's alone
            return cls(dict, ("*",), {name: _from_dict(section, name) for name in names})
        getters = {name: _from_slot(section, name, f"f{i}") for i, name in enumerate(names)}
        return cls(kind, kind.__struct_encode_fields__, getters)


def _from_dict(section: str, name: str) -> Getter:
    whole = attrgetter(section)
    return lambda row: from_jsonable(whole(row)).get(name)


def _from_slot(section: str, name: str, field: str) -> Getter:
    slot, tagged = attrgetter(f"{section}.{field}"), attrgetter(f"{section}.tagged")

    def get(row: Any) -> Any:
        found = slot(row)
        if found is None and tagged(row) is not None:
            return from_jsonable({_TAGGED: tagged(row)}).get(name)
        return from_jsonable(found) if isinstance(found, dict | list) else found

    return get


def check_meaning(column: Column, sections: Collection[str], names: Callable[[], set[str]]) -> None:
    """Raise QueryError unless a bare name has values in one section alone.

    ``names`` tells all that runs have, if the name is none of them.
    """
    if len(sections) > 1:
        both = " or ".join(str(Column(column.name, section)) for section in _SECTIONS)
        raise QueryError(f"{column.name!r} may mean {both}; write the one that is meant")
    if not sections:
        raise QueryError(
            f"no run has a param or metric {column.name!r}; "
            f"there is {', '.join(sorted(names()) or ['none'])}"
        )


def names_in(blocks: Iterable[bytes]) -> set[str]:
    """Return the names of all params and metrics in blocks of lines."""
    decode = msgspec.json.Decoder(_Named).decode_lines
    rows = (row for block in blocks for row in decode(block))
    return {name for row in rows for part in (row.params, row.metrics) for name in part} - {_TAGGED}


class _Named(msgspec.Struct, gc=False):
    params: dict[str, msgspec.Raw] = {}
    metrics: dict[str, msgspec.Raw] = {}
