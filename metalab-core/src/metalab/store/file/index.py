"""The index that a read builds: where each run's lines lie, a few bytes a line.

Records themselves stay on disk. A line is a *row*: segment, offset, length and *head*, where
a head is all that lines with equal epoch, attempt, status and code share.
"""

from __future__ import annotations

import re
from array import array
from binascii import unhexlify
from functools import partial
from itertools import chain, compress
from operator import not_
from typing import TYPE_CHECKING, Any, Self

import attrs
import msgspec

from metalab.records import Status
from metalab.store.base import RunState
from metalab.store.fold import FORGOTTEN, RANKS, key_of
from metalab.store.lines import TAIL
from metalab.store.reading import Loss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Head", "Index"]

RUN = b'{"t":"run","id":"'
ID = len(RUN)
ID_END = ID + 32
_WRITER = b',"writer":"'
_SUM = slice(8 - TAIL, -2)  # of a line: the digits of its checksum
_NO_HEAD = -1
_head = re.compile(
    rb'","epoch":([0-9]+),"attempt":([0-9]+),"status":"([a-z]+)","code":"([0-9A-Za-z_.-]*)"'
).fullmatch

_decode = msgspec.json.Decoder().decode

Order = tuple[int, int, int]
Tie = tuple[str, int, int]


@attrs.frozen
class Head:
    """What a line's fixed keys say: its place in the order, and the state it stands for."""

    order: Order
    state: RunState


class Index:
    """Rows by run, for lines of every kind that concern runs.

    ``tie`` returns what decides between a row and another of equal order.
    """

    tie: Callable[[int], Tie]

    def __init__(self) -> None:
        self.segment = array("I")
        self.offset = array("Q")
        self.length = array("I")
        self.sums = array("I")  # the lines' checksums, in memory as the digits say them
        self.head = array("i")
        self.heads: list[Head] = []
        self.current: dict[bytes, int] = {}
        # Tuples, so that a copy of the index may share them.
        self.displaced: dict[bytes, tuple[int, ...]] = {}
        self.forgets: dict[bytes, int] = {}  # the epochs in which forgotten runs begin anew
        self.series: dict[bytes, tuple[int, ...]] = {}
        self.derived: dict[bytes, tuple[int, ...]] = {}
        self.losses: dict[bytes, frozenset[Loss]] = {}
        self.releases: dict[tuple[str, int], frozenset[str]] = {}
        self.others: dict[bytes, tuple[int, ...]] = {}  # losses, and what a later version knows
        self._by_text: dict[bytes, int] = {}
        self._by_head: dict[Head, int] = {}

    def copy(self) -> Self:
        """Return an index that can grow while this one stays as it is."""
        other = type(self)()
        for name in ("segment", "offset", "length", "sums", "head"):
            setattr(other, name, getattr(self, name)[:])
        for name in ("heads", "current", "displaced", "forgets", "series", "derived", "losses"):
            setattr(other, name, getattr(self, name).copy())
        for name in ("others", "releases", "_by_text", "_by_head"):
            setattr(other, name, getattr(self, name).copy())
        return other

    def add_records(
        self, segment: int, offsets: Sequence[int], lines: Sequence[bytes]
    ) -> list[tuple[int, bytes]]:
        """Add checked lines that begin as ``run`` lines do; returns those that only look so."""
        heads = self._heads_of(lines)
        odd: list[tuple[int, bytes]] = []
        if _NO_HEAD in heads:
            known = [head != _NO_HEAD for head in heads]
            odd = list(compress(zip(offsets, lines, strict=True), map(not_, known)))
            offsets, lines = list(compress(offsets, known)), list(compress(lines, known))
            heads = list(compress(heads, known))
        first = len(self.segment)
        self.segment.extend(array("I", [segment]) * len(lines))
        self.offset.extend(offsets)
        self.length.extend(map(len, lines))
        self.sums.frombytes(unhexlify(b"".join([line[_SUM] for line in lines])))
        self.head.extend(heads)
        ids = [line[ID:ID_END] for line in lines]
        rows = range(first, first + len(lines))
        # Nearly all are new, and then one look at the dict does for finding that and for adding.
        counted = list(map(self.current.setdefault, ids, rows))
        if counted != list(rows):
            for run_id, row, line, held in zip(ids, rows, lines, counted, strict=True):
                if row != held:
                    self._add(run_id, row, partial(_tie_in, line))
        return odd

    def _heads_of(self, lines: Sequence[bytes]) -> Sequence[int]:
        """Return the head of each line, _NO_HEAD for what has none."""
        if not lines:
            return ()
        first = lines[0]
        end = first.find(_WRITER, ID_END)
        text = first[ID_END:end] + _WRITER
        # Most lines of a segment have the same head: then one comparison does for all.
        if b"".join([line[ID_END : ID_END + len(text)] for line in lines]) == text * len(lines):
            return array("i", [self._head_in(text[: -len(_WRITER)])]) * len(lines)
        return [self._head_in(line[ID_END : line.find(_WRITER, ID_END)]) for line in lines]

    def _head_in(self, text: bytes) -> int:
        number = self._by_text.get(text)
        if number is None:
            found = _head(text)
            if found is None:
                return _NO_HEAD
            epoch, attempt, status, code = found.groups()
            number = self._head(int(epoch), int(attempt), status.decode(), code.decode())
            self._by_text[text] = number
        return number

    def _add_row(self, segment: int, offset: int, length: int, head: int, crc: str) -> int:
        self.segment.append(segment)
        self.offset.append(offset)
        self.length.append(length)
        self.sums.frombytes(unhexlify(crc))
        self.head.append(head)
        return len(self.segment) - 1

    def _add(self, run_id: bytes, row: int, tie: Callable[[], Tie]) -> None:
        """Let a run's line count, if it is the greatest; the others remain as attempts."""
        rival = self.current.get(run_id)
        if rival is None:
            self.current[run_id] = row
            return
        if self._beats(row, rival, tie):
            self.current[run_id] = row
            row = rival
        self.displaced[run_id] = (*self.displaced.get(run_id, ()), row)

    def add_document(
        self, document: dict[str, Any], segment: int, offset: int, length: int
    ) -> bool:
        """Add the row of a line that was parsed; False if it says nothing understandable."""
        kind = document.get("t")
        run_id = document.get("id")
        if kind not in {"run", "start", "forget", "series", "derived"}:
            if isinstance(kind, str) and isinstance(run_id, str):
                row = self._add_row(segment, offset, length, self._no_head(), document["crc"])
                self.others[run_id.encode()] = (*self.others.get(run_id.encode(), ()), row)
            return self._understands(document)
        if not isinstance(run_id, str):
            return False
        head = self._head_of_document(document)
        if head == _NO_HEAD:
            return False
        row = self._add_row(segment, offset, length, head, document["crc"])
        key = run_id.encode()
        if kind in {"series", "derived"}:
            rows = getattr(self, kind)
            rows[key] = (*rows.get(key, ()), row)
            return True
        self._add(key, row, lambda: tie_of(document))
        if kind == "forget":
            self.forgets[key] = max(self.forgets.get(key, 0), document["epoch"])
        return True

    def _understands(self, document: dict[str, Any]) -> bool:
        """Note what a line says that is about no record; False if it says it wrongly."""
        kind = document.get("t")
        if kind in {"lost", "release"}:
            add = self._add_loss if kind == "lost" else self._add_release
            return add(document)
        return isinstance(kind, str)

    def _add_loss(self, document: dict[str, Any]) -> bool:
        try:
            key = document["id"].encode()
            fields = (document[name] for name in ("epoch", "attempt", "died", "cause"))
            self.losses[key] = self.losses.get(key, frozenset()) | {Loss(*fields)}
        except (KeyError, AttributeError):
            return False
        return True

    def _add_release(self, document: dict[str, Any]) -> bool:
        try:
            plan, units, writer = document["plan"], document["units"], document["writer"]
            for unit in units:
                known = self.releases.get((plan, unit), frozenset())
                self.releases[plan, unit] = known | {writer}
        except (KeyError, TypeError):
            return False
        return True

    def _head_of_document(self, document: dict[str, Any]) -> int:
        if document["t"] == "derived":
            return self._no_head()
        try:
            epoch, _, attempt, *_ = key_of({"status": Status.RUNNING, **document})
        except (KeyError, ValueError):
            return _NO_HEAD
        if document["t"] == "forget":
            return self._numbered(
                Head((epoch, FORGOTTEN, 0), RunState(Status.RUNNING, epoch, 0, ""))
            )
        return self._head(
            epoch, attempt, document.get("status", Status.RUNNING), document.get("code", "")
        )

    def _no_head(self) -> int:
        return self._head(0, 0, Status.RUNNING, "")

    def rows_of(self, run_id: str) -> list[int]:
        """Return the rows of all lines about a run, of every kind."""
        key = run_id.encode()
        current = self.current.get(key)
        tables = (self.displaced, self.series, self.derived, self.others)
        more = [row for table in tables for row in table.get(key, ())]
        return more if current is None else [current, *more]

    def subjects(self) -> Iterator[bytes]:
        """Yield every run that any line is about, once."""
        yield from self.current
        rest = dict.fromkeys(chain(self.series, self.derived, self.others))
        yield from (key for key in rest if key not in self.current)

    def _head(self, epoch: int, attempt: int, status: str, code: str) -> int:
        try:
            state = RunState(Status(status), epoch, attempt, code)
        except ValueError:
            return _NO_HEAD
        return self._numbered(Head((epoch, RANKS[state.status], attempt), state))

    def _numbered(self, head: Head) -> int:
        number = self._by_head.get(head)
        if number is None:
            number = self._by_head[head] = len(self.heads)
            self.heads.append(head)
        return number

    def _beats(self, row: int, rival: int, tie: Callable[[], Tie]) -> bool:
        order, other = self.heads[self.head[row]].order, self.heads[self.head[rival]].order
        if order != other:
            return order > other
        return tie() > self.tie(rival)


def _tie_in(line: bytes) -> Tie:
    return tie_of(_decode(line))


def tie_of(document: dict[str, Any]) -> Tie:
    """Return what decides between lines of one run, epoch, rank and attempt."""
    return key_of(document)[3:]
