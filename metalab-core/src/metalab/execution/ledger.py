"""The ledger of a launch: what has become of its runs, told to whoever listens."""

from __future__ import annotations

import logging
import threading
from array import array
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import attrs

from metalab.events import Event, EventCallback, EventKind
from metalab.execution.underway import UnderWay
from metalab.records import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from metalab.records import RunRecord

__all__ = ["ENDINGS", "Ledger", "RunStatus", "ending", "retrial"]

_LOG = logging.getLogger(__name__)


@attrs.frozen
class RunStatus:
    """How many runs of a launch are in which state; all but ``total`` add up to ``total``.

    ``completed`` leaves out the runs that were ``skipped`` because a success was stored.
    """

    total: int
    completed: int = 0
    running: int = 0
    pending: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0
    lost: int = 0

    @property
    def done(self) -> int:
        """Count the runs that need nothing more from this launch."""
        return self.completed + self.failed + self.skipped + self.cancelled + self.lost

    @property
    def in_flight(self) -> int:
        """Count the runs that are executing or waiting to."""
        return self.running + self.pending


class Ledger:
    """Counts what happens to the runs of one launch and passes it on as events.

    Events are made only while somebody listens for their kind. A listener is called on the
    thread on which the thing happened, one call at a time; what it raises is logged and goes
    no further.
    """

    def __init__(self, total: int, skipped: Sequence[int] = ()) -> None:
        self._total = total
        self._ended = array("Q", skipped)
        self._skipped = len(skipped)
        self._started = array("Q")
        self._reopened = array("Q")
        self._under_way = UnderWay(self._skipped)
        self._counts = dict.fromkeys((Status.SUCCESS, Status.FAILED, Status.CANCELLED), 0)
        self._abandoned = 0
        self._over = False
        self._listeners: list[tuple[EventCallback, frozenset[EventKind]]] = []
        self._heard: frozenset[EventKind] = frozenset()
        self._closers: list[Callable[[], None]] = []
        # Reentrant: a listener may ask for the status, or cancel the launch.
        self._telling = threading.RLock()
        self._teller: int | None = None
        # To enter the condition instead of its lock would be two calls into Python.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._watchers = 0

    def listen(
        self, listener: EventCallback, kinds: frozenset[EventKind] = frozenset(EventKind)
    ) -> None:
        """Call the listener with every event of some kinds from now on."""
        self._set_listeners([*self._listeners, (listener, kinds)])

    def unlisten(self, listener: EventCallback) -> None:
        """Call the listener no more."""
        self._set_listeners([pair for pair in self._listeners if pair[0] is not listener])

    def _set_listeners(self, pairs: list[tuple[EventCallback, frozenset[EventKind]]]) -> None:
        self._listeners = pairs
        self._heard = frozenset().union(*(kinds for _, kinds in pairs))

    def is_telling(self) -> bool:
        """Tell whether the calling thread is inside a listener."""
        return self._teller == threading.get_ident()

    def tell(self, event: Event) -> None:
        """Pass an event to every listener."""
        with self._telling:
            before, self._teller = self._teller, threading.get_ident()
            try:
                self._pass_on(event)
            finally:
                self._teller = before

    def skipped(self, run_ids: Iterable[str]) -> None:
        """Tell of the runs that are not executed because a success is stored."""
        for run_id in run_ids:
            self.tell(Event.run_skipped(run_id, reason="a success is stored"))

    def started(self, index: int, record: Callable[[], RunRecord]) -> None:
        """Count a run whose operation is about to be called; its record is made for listeners."""
        self._started.append(index)  # an append is a lock of its own
        if EventKind.RUN_STARTED in self._heard:
            running = record()
            self.tell(Event.run_started(running.run_id, record=running))

    def acknowledgement(self, record: RunRecord) -> Callable[[], None]:
        """Return what counts a run once its record is durable, and tells those who listen now."""
        if ENDINGS[record.status] in self._heard:
            return partial(self._count_and_tell, record)
        # Records that nobody is told of are let go at once: their memory stays in the cache.
        return partial(self._count, record.status, record.index)

    @property
    def heard(self) -> frozenset[EventKind]:
        """The kinds of event that somebody listens for."""
        return self._heard

    def hears(self, status: Status | None) -> bool:
        """Tell whether somebody listens for runs that end so."""
        return ENDINGS.get(status) in self._heard if status is not None else False

    def begun(self, indices: Sequence[int]) -> None:
        """Count runs that were begun elsewhere, whose events come by themselves."""
        self._started.extend(indices)

    def ended(self, status: Status, indices: Sequence[int]) -> None:
        """Count runs whose records are durable, and whose events come by themselves."""
        with self._lock:
            self._counts[status] += len(indices)
            self._ended.extend(indices)
            if self._watchers:
                self._changed.notify_all()

    def _count(self, status: Status, index: int) -> None:
        with self._lock:
            self._counts[status] += 1
            self._ended.append(index)
            if self._watchers:
                self._changed.notify_all()

    def _count_and_tell(self, record: RunRecord) -> None:
        self._count(record.status, record.index)
        self.tell(ending(record))

    def retried(self, record: RunRecord) -> None:
        """Count a run as pending again, whose attempt under way has failed, and tell of it."""
        self.reopened(record.index)
        if EventKind.RUN_RETRIED in self._heard:
            self.tell(retrial(record))

    def reopened(self, index: int) -> None:
        """Count a run as pending again that was begun, and has not ended."""
        with self._lock:
            self._reopened.append(index)

    def elsewhere(self, index: int, status: Status, record: Callable[[], RunRecord]) -> None:
        """Count a run that another launch brought to an end; its record is read for listeners."""
        self._started.append(index)
        self.ended_elsewhere(index, status, record)

    def ended_elsewhere(self, index: int, status: Status, record: Callable[[], RunRecord]) -> None:
        """Count the end of a run that was counted as begun; its record is read for listeners."""
        self._count(status, index)
        if ENDINGS[status] in self._heard:
            self.tell(ending(record()))

    def when_finished(self, closer: Callable[[], None]) -> None:
        """Call the closer once the launch is over; at once if it is already."""
        with self._lock:
            if not self._over:
                self._closers.append(closer)
                return
        closer()

    def finish(self) -> None:
        """Close the ledger: runs that have not started by now never will."""
        with self._lock:
            self._abandoned = self._total - len(self._ended)
            self._over = True
            self._changed.notify_all()
            closers, self._closers = self._closers, []
        for closer in closers:
            closer()

    @property
    def status(self) -> RunStatus:
        """The state of the launch at this moment."""
        with self._lock:
            ended = len(self._ended) + self._abandoned
            running = self._running
            return RunStatus(
                total=self._total,
                completed=self._counts[Status.SUCCESS],
                running=running,
                pending=self._total - ended - running,
                failed=self._counts[Status.FAILED],
                skipped=self._skipped,
                cancelled=self._counts[Status.CANCELLED] + self._abandoned,
            )

    def counts(self) -> dict[str, int]:
        """Count the runs of this launch that ended, by how they did, and those that are running.

        Runs that will never start are not among the ``cancelled``.
        """
        with self._lock:
            return {
                "completed": self._counts[Status.SUCCESS],
                "failed": self._counts[Status.FAILED],
                "cancelled": self._counts[Status.CANCELLED],
                "running": self._running,
            }

    def under_way(self) -> dict[int, float]:
        """Return the runs under way, oldest first, and when each was first seen to be.

        The times are of the monotonic clock. They are taken when this is called and not when
        a run starts, so that a run pays nothing for them: they are as exact as the calls are
        frequent.
        """
        with self._lock:
            if self._over:
                return {}
            return self._under_way.look(self._started, self._reopened, self._ended, monotonic())

    @property
    def _running(self) -> int:
        # Started runs whose record is not durable yet; none is once the launch is over.
        if self._over:
            return 0
        return len(self._started) - len(self._reopened) + self._skipped - len(self._ended)

    def endings(self) -> Iterator[int]:
        """Yield the plan index of each run as it ends, the skipped ones first."""
        position = 0
        while True:
            with self._lock:
                while len(self._ended) == position:
                    if self._over:
                        return
                    self._wait()
                index = self._ended[position]
            position += 1
            yield index

    def _wait(self) -> None:
        self._watchers += 1
        try:
            self._changed.wait()
        finally:
            self._watchers -= 1

    def _pass_on(self, event: Event) -> None:
        for listener, kinds in self._listeners:
            if event.kind not in kinds:
                continue
            try:
                listener(event)
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001  a listener is the user's; runs are not its to break
                _LOG.exception("a listener failed on the event %s", event.kind)


ENDINGS = {
    Status.SUCCESS: EventKind.RUN_FINISHED,
    Status.FAILED: EventKind.RUN_FAILED,
    Status.CANCELLED: EventKind.RUN_CANCELLED,
}
"""The event that tells of each way in which a run ends."""


def ending(record: RunRecord) -> Event:
    """Return the event that tells how a run ended."""
    if record.status is Status.SUCCESS:
        return Event.run_finished(record.run_id, record=record, metrics=record.metrics)
    if record.status is Status.CANCELLED:
        return Event.run_cancelled(record.run_id, record=record)
    return Event.run_failed(record.run_id, _cause(record), record=record)


def retrial(record: RunRecord) -> Event:
    """Return the event that tells that an attempt failed which is not the last."""
    return Event.run_retried(record.run_id, _cause(record), record=record, attempt=record.attempt)


def _cause(record: RunRecord) -> str:
    error = record.error or {}
    return f"{error.get('type', 'Failed')}: {error.get('message', '')}"
