"""Lines on their way into the index: checked, made fit for jsonb, and gathered in batches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import msgspec

from metalab.records import Status
from metalab.store.file.index import ID, ID_END, RUN
from metalab.store.fold import key_of
from metalab.store.lines import crc_of
from metalab_postgres.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["RECORDS", "Batch", "Incoming", "Item", "reduced"]

_NUL = b"\\u0000"
_TAGGED = "$dict"
_head = re.compile(
    rb'","epoch":([0-9]+),"attempt":([0-9]+),"status":"(success|failed|cancelled|running)"'
    rb',"code":"[0-9A-Za-z_.-]*","writer":(?:"([^"\\]*)","part":([0-9]+),"seq":([0-9]+))?'
).match

_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_KINDS = {
    type(None): KINDS["null"],
    bool: KINDS["boolean"],
    int: KINDS["integer"],
    float: KINDS["float"],
    str: KINDS["string"],
    list: KINDS["array"],
    dict: KINDS["object"],
}
RECORDS = frozenset({"run", "start", "forget"})
"""The kinds of line that compete for being a run's current one."""

_OTHERS = frozenset({"series", "derived", "lost", "release"})


class _Time(msgspec.Struct, gc=False):
    start: str | None = None
    end: str | None = None


class _Key(msgspec.Struct, gc=False):
    """What every line about a record must have for the index to place it."""

    t: str
    id: str
    epoch: _Int
    attempt: _Int = 0
    status: str = "running"
    writer: str = ""
    part: _Int = 1
    seq: _Int = 0


class _Record(_Key, gc=False):
    """The keys that become columns, of the types that these take."""

    code: str = ""
    experiment: str | None = None
    manifest: str | None = None
    launch: str | None = None
    index: _Int = 0
    replicate: _Int | None = None
    fingerprints: dict[str, str] = {}
    params: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None
    tags: list[Any] | None = None
    notes: str | None = None
    error: dict[str, Any] | None = None
    time: _Time | None = None
    ms: float | None = None
    artifacts: list[Any] | None = None


_decode_record = msgspec.json.Decoder(_Record).decode
_decode_key = msgspec.json.Decoder(_Key).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@attrs.frozen
class Item:
    """One line: where it lies, its document fit for jsonb, and the line itself where that is not
    the same.
    """

    kind: str
    offset: int
    length: int
    document: bytes
    line: bytes | None = None
    is_reduced: bool = False

    def row(self) -> bytes:
        """Return the line for COPY: kind, offset, length, document, line."""
        line = b"\\N" if self.line is None else b"\\\\x" + self.line.hex().encode()
        document = self.document.replace(b"\\", b"\\\\")
        kind = self.kind.encode()
        return b"%b\t%d\t%d\t%b\t%b\n" % (kind, self.offset, self.length, document, line)


@attrs.frozen
class Batch:
    """Lines of one segment that enter the index together.

    ``fields`` are the kinds of values of params and metrics, ``refused`` the offsets of records
    of which nothing can be made.
    """

    items: Sequence[Item]
    fields: dict[tuple[str, str], int]
    refused: Sequence[int] = ()

    @property
    def kinds(self) -> set[str]:
        """The kinds of line among them."""
        return {each.kind for each in self.items}

    @property
    def has_artifacts(self) -> bool:
        """Whether any record among them may have artifacts."""
        return any(b'"artifacts":[' in each.document for each in self.items)

    def halves(self) -> tuple[Batch, Batch]:
        """Cut the batch in two."""
        middle = len(self.items) // 2
        return Batch(self.items[:middle], self.fields), Batch(self.items[middle:], self.fields)


class Incoming:
    """Takes what a Scanner finds in one segment; ``take`` returns what has come in since."""

    def __init__(self) -> None:
        self.size = 0
        self._items: list[Item] = []
        self._refused: list[int] = []
        self._shapes: set[tuple[str, tuple[str, ...], tuple[type, ...]]] = set()

    def add_records(
        self,
        segment: int,  # noqa: ARG002  of which there is one
        offsets: Sequence[int],
        lines: Sequence[bytes],
    ) -> list[tuple[int, bytes]]:
        """Take checked lines that begin as ``run`` lines do; returns those that only look so."""
        odd: list[tuple[int, bytes]] = []
        for offset, line in zip(offsets, lines, strict=True):
            if _head(line, ID_END) is None or b'"' in line[ID:ID_END]:
                odd.append((offset, line))
            elif not self._add_record(offset, line):
                self._refused.append(offset)
        return odd

    def add_document(
        self,
        document: dict[str, Any],
        segment: int,  # noqa: ARG002  as above
        offset: int,
        length: int,
    ) -> bool:
        """Take a line that was parsed; False if it says nothing understandable."""
        kind = document.get("t")
        if kind in RECORDS:
            return _is_record(document) and self._add_record(
                offset, _encode(document), length, kind
            )
        if kind in _OTHERS:
            return _OTHER[kind](document) and self._add_other(kind, document, offset, length)
        return isinstance(kind, str)

    def take(self) -> Batch:
        """Return what came in since the last call."""
        items, self._items, self.size = self._items, [], 0
        refused, self._refused = self._refused, []
        fields: dict[tuple[str, str], int] = {}
        for section, names, types in self._shapes:
            for name, kind in zip(names, types, strict=True):
                field = section, name.replace("\0", "\ufffd")
                fields[field] = fields.get(field, 0) | _KINDS[kind]
        self._shapes.clear()
        return Batch(items, dict(sorted(fields.items())), refused)

    def _add_record(self, offset: int, line: bytes, length: int = 0, kind: str = "run") -> bool:
        item = self._record(kind, offset, line, length or len(line))
        if item is None:
            return False
        self._items.append(item)
        self.size += len(line)
        return True

    def _record(self, kind: str, offset: int, line: bytes, length: int) -> Item | None:
        try:
            found = _decode_record(line)
        except _UNREADABLE:
            return reduced(Item(kind, offset, length, line))
        odd = _NUL in line
        for section, values in (("params", found.params), ("metrics", found.metrics)):
            if values:
                odd = odd or (len(values) == 1 and next(iter(values)).startswith("$"))
                self._shapes.add((section, tuple(values), tuple(map(type, values.values()))))
        if not odd:
            return Item(kind, offset, length, line)
        return Item(kind, offset, length, _without_nul(line), line)

    def _add_other(self, kind: str, document: dict[str, Any], offset: int, length: int) -> bool:
        line = _encode(document)
        odd = _NUL in line
        self._items.append(
            Item(kind, offset, length, _without_nul(line), line)
            if odd
            else Item(kind, offset, length, line)
        )
        self.size += len(line)
        return True


def reduced(item: Item) -> Item | None:
    """Return a line about a record with its place in the order alone, for jsonb or columns that
    cannot take the rest; None if it is that already, or nothing can be made of it.
    """
    line = item.line or item.document
    if item.is_reduced or item.kind not in RECORDS:
        return None
    try:
        document = msgspec.to_builtins(_decode_key(line))
    except _UNREADABLE:
        found = _head(line, ID_END) if line[:ID] == RUN else None
        if found is None or found[4] is None:
            return None
        numbers = dict(
            zip(("epoch", "attempt", "part", "seq"), map(int, found.group(1, 2, 5, 6)), strict=True)
        )
        texts = {"status": found[3].decode(), "writer": found[4].decode()}
        document = {"t": "run", "id": line[ID:ID_END].decode(), **numbers, **texts}
    document["crc"] = crc_of(line)
    text = _without_nul(_encode(document))
    return Item(item.kind, item.offset, item.length, text, line, is_reduced=True)


def _without_nul(line: bytes) -> bytes:
    return _encode(_replaced(_decode(line))) if _NUL in line else line


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_replaced(each) for each in value]
    if isinstance(value, dict):
        return {_replaced(key): _replaced(each) for key, each in value.items()}
    return value


def _is_record(document: dict[str, Any]) -> bool:
    if not isinstance(document.get("id"), str):
        return False
    try:
        Status(document.get("status", Status.RUNNING))
        key_of({"status": Status.RUNNING, **document})
    except (KeyError, ValueError):
        return False
    return True


def _has(document: dict[str, Any], texts: Iterable[str], numbers: Iterable[str]) -> bool:
    return all(isinstance(document.get(name), str) for name in texts) and all(
        isinstance(document.get(name), int) for name in numbers
    )


def _is_series(document: dict[str, Any]) -> bool:
    points = document.get("points")
    return _has(document, ("id", "name"), ("epoch", "attempt")) and isinstance(points, list)


def _is_release(document: dict[str, Any]) -> bool:
    units = document.get("units")
    return _has(document, ("plan", "writer"), ()) and isinstance(units, list)


_OTHER = {
    "series": _is_series,
    "derived": lambda document: _has(document, ("id", "name"), ()),
    "lost": lambda document: _has(document, ("id", "died", "cause"), ("epoch", "attempt")),
    "release": _is_release,
}
