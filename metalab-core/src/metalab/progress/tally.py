"""The counts that progress is drawn from, kept up to date event by event."""

from __future__ import annotations

import math
import threading
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from metalab.events import Event, EventKind
from metalab.progress.pace import Pace
from metalab.progress.text import one_line
from metalab.progress.view import LaunchView, RunUnderWay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from metalab.progress.settings import MetricDisplay

__all__ = ["Snapshot", "Tally"]

Key = TypeVar("Key")

_MAX_CAUSES = 20
_MAX_RUNS = 3
_LONG = 3.0  # seconds after which a run under way is told by name
_SHORT = 8
_COUNTS = ("completed", "failed", "cancelled", "skipped", "total")
_ENDINGS = {
    EventKind.RUN_FINISHED: "completed",
    EventKind.RUN_FAILED: "failed",
    EventKind.RUN_CANCELLED: "cancelled",
}


@attrs.frozen
class Snapshot:
    """The counts at one moment, and the few runs under way that have taken longest.

    ``elapsed`` and ``left``, the expected time to the end, are seconds, ``rate`` is runs a
    second; the last two are None while unknown. ``causes`` is the number of failed runs by cause.
    """

    total: int
    completed: int
    failed: int
    cancelled: int
    skipped: int
    retried: int
    running: int
    under_way: Sequence[RunUnderWay]
    elapsed: float
    rate: float | None
    left: float | None
    causes: Mapping[str, int]
    metrics: Sequence[str]

    @property
    def done(self) -> int:
        """Count the runs that need nothing any more, the skipped ones included."""
        return self.completed + self.failed + self.cancelled + self.skipped


class _Watched:
    """One metric over the runs finished so far."""

    def __init__(self, display: MetricDisplay) -> None:
        self.display = display
        self._value: float | None = None
        self._sum = 0.0
        self._count = 0

    def add(self, metrics: Mapping[str, Any]) -> None:
        value = metrics.get(self.display.name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return
        self._sum += value
        self._count += 1
        self._value = self._reduced(value)

    def _reduced(self, value: float) -> float:
        if self._value is None or self.display.show == "last":
            return value
        if self.display.show == "mean":
            return self._sum / self._count
        if math.isnan(self._value) or math.isnan(value):
            return value if math.isnan(self._value) else self._value
        return min(self._value, value) if self.display.show == "min" else max(self._value, value)

    def text(self) -> str | None:
        return None if self._value is None else self.display.text(self._value)


class Tally:
    """Counts runs from events that arrive on any thread, or sees their counts in a view.

    Events of kinds it does not know change nothing.
    """

    def __init__(
        self,
        metrics: Sequence[MetricDisplay] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._view: LaunchView | None = None
        self._skip_events = 0
        self._retried = 0
        self._running: dict[str | None, float] = {}
        self._elsewhere = 0
        self._causes: dict[str, int] = {}
        self._watched = [_Watched(display) for display in metrics]
        self._began = clock()
        self._pace = Pace(self._began)

    def watch(self, view: LaunchView) -> None:
        """Look at a view for all counts from now on; events tell causes, metrics and retries."""
        self._view = view

    def begin(self, total: int, skipped: int) -> None:
        """Take the numbers known before anything runs."""
        with self._lock:
            self._counts["total"] = total
            self._counts["skipped"] = skipped
            self._began = self._clock()
            self._pace = Pace(self._began)

    def add(self, event: Event) -> None:
        """Count one event."""
        with self._lock:
            if event.kind is EventKind.PROGRESS and event.run_id is None:
                self._take(event.payload)
            elif event.kind is EventKind.RUN_SKIPPED:
                # Skipped runs are announced twice, as a number at the start and one by one.
                self._skip_events += 1
                self._counts["skipped"] = max(self._counts["skipped"], self._skip_events)
            elif event.kind is EventKind.RUN_STARTED:
                self._running[event.run_id] = self._clock()
            else:
                self._end(event)

    def _end(self, event: Event) -> None:
        kind = event.kind
        if kind in _ENDINGS:
            self._running.pop(event.run_id, None)
            if self._view is None:
                self._counts[_ENDINGS[kind]] += 1
                self._note()
        if kind is EventKind.RUN_FINISHED:
            for watched in self._watched:
                watched.add(event.payload.get("metrics") or {})
        elif kind is EventKind.RUN_FAILED:
            self._blame(str(event.payload.get("error") or ""))
        elif kind is EventKind.RUN_RETRIED:
            self._running.pop(event.run_id, None)
            self._retried += 1

    def _note(self) -> None:
        now = self._clock()
        ended = sum(self._counts[how] for how in _ENDINGS.values())
        self._pace.note(now, ended, [now - since for since in self._running.values()])

    def _blame(self, cause: str) -> None:
        cause = one_line(cause.strip().splitlines()[0]) if cause.strip() else "no cause given"
        if cause not in self._causes and len(self._causes) >= _MAX_CAUSES:
            cause = "other causes"
        self._causes[cause] = self._causes.get(cause, 0) + 1

    def _take(self, payload: Mapping[str, Any]) -> None:
        """Take counts made elsewhere, such as on another machine."""
        self._counts.update({name: payload[name] for name in _COUNTS if name in payload})
        self._elsewhere = payload.get("running", self._elsewhere)
        self._note()

    def snapshot(self) -> Snapshot:
        """Return the counts as they are now."""
        if self._view is None:
            with self._lock:
                self._note()
                now = self._clock()
                ages = {run_id: now - since for run_id, since in self._running.items()}
                runs = [
                    RunUnderWay((run_id or "")[:_SHORT], age) for run_id, age in _long(ages.items())
                ]
                return self._snapshot(len(self._running) + self._elsewhere, runs)
        # Outside the lock: a view has locks of its own, and names come from the user's sources.
        seen, under_way = self._view.counts(), self._view.under_way()
        runs = self._view.named(_long(under_way.items()))
        with self._lock:
            self._counts.update({name: seen[name] for name in _ENDINGS.values()})
            ended = sum(seen[name] for name in _ENDINGS.values())
            self._pace.note(self._clock(), ended, list(under_way.values()))
            return self._snapshot(seen["running"], runs)

    def _snapshot(self, running: int, runs: Sequence[RunUnderWay]) -> Snapshot:
        counts = dict(self._counts)
        done = sum(counts[name] for name in _COUNTS[:-1])
        # A run that ended although nobody expected it may not make the bar run over.
        counts["total"] = max(counts["total"], done)
        texts = [watched.text() for watched in self._watched]
        return Snapshot(
            **counts,
            retried=self._retried,
            running=running,
            under_way=runs,
            elapsed=self._clock() - self._began,
            rate=self._pace.rate(),
            left=self._pace.left(counts["total"] - done),
            causes=dict(self._causes),
            metrics=[text for text in texts if text is not None],
        )


def _long(runs: Iterable[tuple[Key, float]]) -> list[tuple[Key, float]]:
    """Return the few that have been executed for longest, if that is long."""
    return [(key, age) for key, age in islice(runs, _MAX_RUNS) if age >= _LONG]
