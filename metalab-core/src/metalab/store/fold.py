"""Which of a run's lines counts: the greatest, by an order that needs no clock.

The order is (epoch, rank, attempt, writer, part, seq). Folding is commutative, associative
and idempotent, so lines may be copied, repeated, split over files and shuffled. Only
``forget``, or a forced re-run, raises the epoch; within one, a success is never displaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from metalab.identity.values import from_jsonable
from metalab.records import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "FORGOTTEN",
    "RANKS",
    "Key",
    "attempts_in_order",
    "fold",
    "fold_derived",
    "fold_series",
    "is_forgotten",
    "key_of",
]

_decode = msgspec.json.Decoder().decode

Key = tuple[int, int, int, str, int, int]
"""Epoch, rank, attempt, writer, part and number of a line."""

RANKS = {Status.SUCCESS: 3, Status.FAILED: 2, Status.CANCELLED: 1, Status.RUNNING: 0}
FORGOTTEN = -1
"""The rank of a line that says only that all before its epoch is forgotten."""


def key_of(document: Mapping[str, Any]) -> Key:
    """Return the place of a ``run``, ``start`` or ``forget`` line in the order."""
    forgotten = document["t"] == "forget"
    return (
        document["epoch"],
        FORGOTTEN if forgotten else RANKS[Status(document["status"])],
        document.get("attempt", 0),
        document.get("writer", ""),
        document.get("part", 1),
        document.get("seq", 0),
    )


def is_forgotten(key: Key) -> bool:
    """Tell whether a run whose greatest line has this key counts as never run."""
    return key[1] == FORGOTTEN


def fold(documents: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the current ``run``, ``start`` or ``forget`` line of each run, by id."""
    current: dict[str, tuple[Key, Mapping[str, Any]]] = {}
    for document in documents:
        key = key_of(document)
        rival = current.get(document["id"])
        if rival is None or key > rival[0]:
            current[document["id"]] = (key, document)
    return {run_id: document for run_id, (_, document) in current.items()}


def fold_derived(documents: Iterable[Mapping[str, Any]], crc: str) -> dict[str, Mapping[str, Any]]:
    """Return the current derived values of one run by name; see ``RunLog.derived``.

    Values computed from the run's present record, whose line has this ``crc``, win over
    stale ones; then the latest revision does.
    """
    current: dict[str, tuple[tuple[bool, int, str, int, int], Mapping[str, Any]]] = {}
    for document in documents:
        key = (
            document.get("of") == crc,
            document.get("rev", 1),
            document.get("writer", ""),
            document.get("part", 1),
            document.get("seq", 0),
        )
        rival = current.get(document["name"])
        if rival is None or key > rival[0]:
            current[document["name"]] = (key, document)
    return {
        name: {
            "values": from_jsonable(document["values"]),
            "code": document.get("code", ""),
            "of": document.get("of", ""),
            "rev": document.get("rev", 1),
        }
        for name, (_, document) in sorted(current.items())
    }


def fold_series(
    documents: Iterable[Mapping[str, Any]], current: Mapping[str, Any]
) -> dict[str, list[tuple[int | float, Any]]]:
    """Return the metric series of the attempt whose line is ``current``, of one run.

    Of two writers of one attempt the current line's own counts; the greatest, where that
    one wrote none (the line of a worker that died is written by another).
    """
    chunks = {
        (each.get("writer", ""), each.get("part", 1), each.get("seq", 0)): each
        for each in documents
        if (each["epoch"], each["attempt"]) == (current["epoch"], current["attempt"])
    }
    writers = {writer for writer, _, _ in chunks}
    own = current.get("writer", "")
    chosen = own if own in writers else max(writers, default="")
    series: dict[str, list[tuple[int | float, Any]]] = {}
    for key in sorted(chunks):
        if key[0] == chosen:
            points = ((from_jsonable(step), from_jsonable(v)) for step, v in chunks[key]["points"])
            series.setdefault(chunks[key]["name"], []).extend(points)
    return series


def attempts_in_order(lines: Iterable[bytes]) -> list[bytes]:
    """Return the lines of one run's attempts, oldest first, each once.

    What says only that an attempt began is left out where its end is kept.
    """
    kept: dict[Key, bytes] = {}
    for line in lines:
        document = _decode(line)
        if document["t"] != "forget":
            kept[key_of(document)] = line
    ended = {(key[0], key[2]) for key in kept if key[1] > RANKS[Status.RUNNING]}
    return [
        kept[key]
        for key in sorted(kept, key=lambda key: (key[0], key[2], key[1], key[3:]))
        if key[1] > RANKS[Status.RUNNING] or (key[0], key[2]) not in ended
    ]
