"""Events on their way from another process: what is sent of each, and how it is made again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from metalab.events import Event, EventKind
from metalab.execution.ledger import ending, retrial
from metalab.store.document import record_line, record_of
from metalab.store.lines import Stamp

if TYPE_CHECKING:
    from metalab.records import RunRecord

__all__ = ["from_wire", "to_wire"]

_NOWHERE = Stamp("", 0, 0, "")


def to_wire(event: Event) -> list[Any]:
    """Return an event as plain values; one that has a record is sent as that record."""
    record = event.payload.get("record")
    body = dict(event.payload) if record is None else record_line(record, _NOWHERE)
    return [event.kind.value, event.run_id, event.timestamp.timestamp(), body]


def from_wire(sent: list[Any]) -> Event:
    """Return the event that was sent, its record as one that is read from a store."""
    kind, run_id, timestamp, body = sent
    moment = datetime.fromtimestamp(timestamp, UTC)
    if not isinstance(body, bytes):
        return Event(EventKind(kind), run_id, moment, body)
    made = _of_record(EventKind(kind), record_of(body))
    return Event(made.kind, run_id, moment, made.payload)


def _of_record(kind: EventKind, record: RunRecord) -> Event:
    if kind is EventKind.RUN_STARTED:
        return Event.run_started(record.run_id, record=record)
    return retrial(record) if kind is EventKind.RUN_RETRIED else ending(record)
