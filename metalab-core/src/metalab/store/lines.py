"""The lines of a store: strict JSON, one document a line, with a checksum as its last key.

Every line names its writer, the part of the writer's files and its number there, so that
copies of a line, wherever they lie, are seen to be one. Readers skip kinds of line (``t``)
and keys that they do not know.
"""

from __future__ import annotations

from binascii import crc32
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from metalab.identity.values import to_jsonable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metalab.records import AttemptKey
    from metalab.store.reading import Loss

__all__ = [
    "FORMAT",
    "TAIL",
    "Stamp",
    "crc_of",
    "derived_document",
    "forget_document",
    "line_of",
    "loss_document",
    "parse_line",
    "plan_document",
    "readable",
    "release_document",
    "seal",
    "series_document",
]

FORMAT = 1
"""The format of the segments that this version writes, and the newest that it reads."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
TAIL = 18
"""The length of ``,"crc":"01234567"}``, with which every line ends."""


class Stamp(NamedTuple):
    """Where a line is written first: its writer, the part, and the line's number there.

    A tuple, since each line has one: an attrs class would take three times as long.
    """

    writer: str
    part: int
    seq: int
    launch: str

    def items(self) -> dict[str, Any]:
        """Return the keys of a line that say so."""
        return {
            "writer": self.writer,
            "part": self.part,
            "seq": self.seq,
            "launch": self.launch,
        }


def seal(body: bytes) -> bytes:
    """Close a JSON object that lacks its last brace with the checksum and a line feed."""
    return b'%b,"crc":"%08x"}\n' % (body, crc32(body))


def line_of(document: Mapping[str, Any]) -> bytes:
    """Return the line of a document whose values are strict JSON."""
    return seal(_encode(document)[:-1])


def series_document(
    run: AttemptKey, name: str, points: Sequence[tuple[int | float, Any]], stamp: Stamp
) -> dict[str, Any]:
    """Return the document of further points of a metric series."""
    return {
        "t": "series",
        "id": run.run_id,
        "epoch": run.epoch,
        "attempt": run.attempt,
        **stamp.items(),
        "name": readable(name),
        "points": [[to_jsonable(step, "step"), to_jsonable(value, name)] for step, value in points],
    }


def derived_document(
    run_id: str, name: str, values: Mapping[str, Any], stamp: Stamp, *, code: str, of: str, rev: int
) -> dict[str, Any]:
    """Return the document of values derived from the record whose line has the crc ``of``."""
    return {
        "t": "derived",
        "id": run_id,
        "name": readable(name),
        "rev": rev,
        "code": code,
        "of": of,
        **stamp.items(),
        "values": to_jsonable(dict(values), f"derived[{name!r}]"),
    }


def forget_document(run_id: str, epoch: int, stamp: Stamp) -> dict[str, Any]:
    """Return the document that makes all of a run's lines before an epoch count no more."""
    return {"t": "forget", "id": run_id, "epoch": epoch, **stamp.items()}


def plan_document(plan: str, stamp: Stamp) -> dict[str, Any]:
    """Return the document by which a writer says that it works on a plan."""
    return {"t": "plan", "plan": plan, **stamp.items()}


def release_document(plan: str, units: Sequence[int], stamp: Stamp) -> dict[str, Any]:
    """Return the document by which a writer gives up its claims on units of a plan."""
    return {"t": "release", "plan": plan, "units": list(units), **stamp.items()}


def loss_document(run_id: str, loss: Loss, stamp: Stamp) -> dict[str, Any]:
    """Return the document that says that an attempt has no end; ``died`` names its writer."""
    return {
        "t": "lost",
        "id": run_id,
        "epoch": loss.epoch,
        "attempt": loss.attempt,
        "died": loss.writer,
        "cause": loss.cause,
        **stamp.items(),
    }


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Return the document of a line, or None if it is damaged; a line feed may be missing."""
    line = line.rstrip(b"\n")
    if line[-TAIL : 8 - TAIL] != b',"crc":"':
        return None
    if line[8 - TAIL :] != b'%08x"}' % crc32(line[:-TAIL]):
        return None
    try:
        document = _decode(line)
    except msgspec.DecodeError:
        return None
    return document if isinstance(document, dict) else None


def crc_of(line: bytes) -> str:
    """Return the checksum that a line carries, by which derived values name their record."""
    return line.rstrip(b"\n")[8 - TAIL : -2].decode()


def readable(text: str) -> str:
    """Return text that can be written as UTF-8: an undecodable byte of a path becomes an escape."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()
