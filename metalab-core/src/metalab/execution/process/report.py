"""What a worker process says about its runs: on its board always, as events to who listens."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from metalab.events import Event, EventKind
from metalab.execution.ledger import ENDINGS, ending, retrial
from metalab.execution.wire import to_wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab.execution.process.board import Board
    from metalab.execution.process.channel import Channel
    from metalab.records import RunRecord

    _Letter: TypeAlias = tuple[int, Event, int | None]

__all__ = ["Outbox", "Report"]

_EVERY = 0.02
_MOST = 10_000


class Outbox:
    """Sends events in groups, a few dozen a second at most.

    Whoever produces them faster than they are heard waits.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._changed = threading.Condition()
        self._events: list[_Letter] = []
        self._sending = False
        self._thread: threading.Thread | None = None

    def add(self, launch: int, event: Event, place: int | None = None) -> None:
        """Take an event of a launch, to be sent soon; whoever hears it settles the place."""
        with self._changed:
            while len(self._events) >= _MOST:
                self._changed.wait()
            self._events.append((launch, event, place))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="metalab-events", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Return once all events were sent."""
        with self._changed:
            while self._events or self._sending:
                self._changed.wait()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                while not self._events:
                    self._changed.wait()
                events, self._events, self._sending = self._events, [], True
                self._changed.notify_all()
            self._send(events)
            with self._changed:
                self._sending = False
                self._changed.notify_all()
            pause.wait(_EVERY)

    def _send(self, events: list[_Letter]) -> None:
        try:
            sent = [(launch, to_wire(event), place) for launch, event, place in events]
            self._channel.send("events", sent)
        except OSError:  # nobody is there to hear them, and this process ends with that one
            return


class Report:
    """Notes on the board what happens to the runs of one launch; a witness of its worker.

    ``place`` is the place of the run under way, ``heard`` the kinds of event somebody hears.
    """

    def __init__(self, launch: int, board: Board, outbox: Outbox) -> None:
        self.launch = launch
        self._board = board
        self._outbox = outbox
        self.place = 0
        self.heard: frozenset[EventKind] = frozenset()

    def tell(self, event: Event) -> None:
        """Send an event, if anybody hears its kind."""
        if event.kind in self.heard:
            self._outbox.add(self.launch, event)

    def started(self, index: int, record: Callable[[], RunRecord]) -> None:  # noqa: ARG002  the board has it
        """Tell of a run whose operation is about to be called."""
        if EventKind.RUN_STARTED in self.heard:
            running = record()
            self.tell(Event.run_started(running.run_id, record=running))

    def acknowledgement(self, record: RunRecord) -> Callable[[], None]:
        """Return what notes that a run's record is durable."""
        if self.heard and ENDINGS[record.status] in self.heard:
            # Not settled here: of what is not heard when this process dies, its supervisor tells.
            return partial(self._tell_ending, self.place, record)
        return partial(self._board.settle, self.place)

    def retried(self, record: RunRecord) -> None:
        """Tell of an attempt that is not the last."""
        if EventKind.RUN_RETRIED in self.heard:
            self.tell(retrial(record))

    def _tell_ending(self, place: int, record: RunRecord) -> None:
        self._outbox.add(self.launch, ending(record), place)
