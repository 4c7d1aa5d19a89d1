"""The testimony of a worker in a pool: events of its runs, gathered for who listens elsewhere."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from metalab.events import Event, EventKind
from metalab.execution.ledger import ENDINGS, ending, retrial
from metalab.execution.wire import to_wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab.records import RunRecord

__all__ = ["Testimony"]


class Testimony:
    """Gathers the events of the kinds that are ``heard``; a witness of one worker."""

    def __init__(self) -> None:
        self.heard: frozenset[EventKind] = frozenset()
        self._events: list[list[Any]] = []

    def take(self) -> list[list[Any]]:
        """Take what was gathered since it was taken last, as values that can be sent."""
        events, self._events = self._events, []
        return events

    def tell(self, event: Event) -> None:
        """Gather an event, if anybody hears its kind."""
        if event.kind in self.heard:
            self._events.append(to_wire(event))

    def started(self, index: int, record: Callable[[], RunRecord]) -> None:  # noqa: ARG002  its ticket names it
        """Gather that a run has begun."""
        if EventKind.RUN_STARTED in self.heard:
            running = record()
            self.tell(Event.run_started(running.run_id, record=running))

    def acknowledgement(self, record: RunRecord) -> Callable[[], None]:
        """Return what gathers that a run's record is durable."""
        if ENDINGS[record.status] in self.heard:
            return partial(self._tell_ending, record)
        return _nothing

    def retried(self, record: RunRecord) -> None:
        """Gather that an attempt has failed which is not the last."""
        if EventKind.RUN_RETRIED in self.heard:
            self.tell(retrial(record))

    def _tell_ending(self, record: RunRecord) -> None:
        self.tell(ending(record))


def _nothing() -> None:
    """Do nothing."""
