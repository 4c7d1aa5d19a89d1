"""The counts that progress is drawn from, kept up to date event by event."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from metalab.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from metalab.progress.settings import MetricDisplay

__all__ = ["Snapshot", "Tally"]

_RECENT = 256
_MAX_CAUSES = 20
_COUNTS = ("completed", "failed", "cancelled", "skipped", "total")


@attrs.frozen
class Snapshot:
    """The counts at one moment; ``left`` is the expected time to the end, ``None`` unknown.

    ``elapsed`` and ``left`` are seconds, ``causes`` the number of failed runs by cause.
    """

    total: int
    completed: int
    failed: int
    cancelled: int
    skipped: int
    running: int
    elapsed: float
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
    """Counts runs from events that arrive on any thread."""

    def __init__(
        self,
        metrics: Sequence[MetricDisplay] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._skip_events = 0
        self._running: set[str | None] = set()
        self._elsewhere = 0
        self._causes: dict[str, int] = {}
        self._watched = [_Watched(display) for display in metrics]
        self._began = clock()
        self._pace: deque[tuple[float, int]] = deque([(self._began, 0)], maxlen=_RECENT)

    def begin(self, total: int, skipped: int) -> None:
        """Take the numbers known before anything runs."""
        with self._lock:
            self._counts["total"] = total
            self._counts["skipped"] = skipped
            self._began = self._clock()
            self._pace = deque([(self._began, 0)], maxlen=_RECENT)

    def add(self, event: Event) -> None:
        """Count one event."""
        with self._lock:
            self._add(event)

    def _add(self, event: Event) -> None:
        kind = event.kind
        if kind is EventKind.RUN_STARTED:
            self._running.add(event.run_id)
        elif kind is EventKind.RUN_FINISHED:
            self._end(event.run_id, "completed")
            for watched in self._watched:
                watched.add(event.payload.get("metrics") or {})
        elif kind is EventKind.RUN_FAILED:
            self._end(event.run_id, "failed")
            self._blame(str(event.payload.get("error") or "no cause given"))
        elif kind is EventKind.RUN_CANCELLED:
            self._end(event.run_id, "cancelled")
        elif kind is EventKind.RUN_SKIPPED:
            # Skipped runs are announced twice, as a number at the start and one by one.
            self._skip_events += 1
            self._counts["skipped"] = max(self._counts["skipped"], self._skip_events)
        elif kind is EventKind.PROGRESS and event.run_id is None:
            self._take(event.payload)

    def _end(self, run_id: str | None, how: str) -> None:
        self._running.discard(run_id)
        self._counts[how] += 1
        self._pace.append((self._clock(), self._ended()))

    def _ended(self) -> int:
        return sum(self._counts[how] for how in ("completed", "failed", "cancelled"))

    def _blame(self, cause: str) -> None:
        cause = cause.strip().splitlines()[0] if cause.strip() else "no cause given"
        if cause not in self._causes and len(self._causes) >= _MAX_CAUSES:
            cause = "other causes"
        self._causes[cause] = self._causes.get(cause, 0) + 1

    def _take(self, payload: Mapping[str, Any]) -> None:
        """Take counts made elsewhere: by a launch's ledger, or on another machine."""
        self._counts.update({name: payload[name] for name in _COUNTS if name in payload})
        self._elsewhere = payload.get("running", self._elsewhere)
        if self._ended() > self._pace[-1][1]:
            self._pace.append((self._clock(), self._ended()))

    def snapshot(self) -> Snapshot:
        """Return the counts as they are now."""
        with self._lock:
            now = self._clock()
            counts = dict(self._counts)
            # A run that ended although nobody expected it may not make the bar run over.
            counts["total"] = max(counts["total"], sum(counts[name] for name in _COUNTS[:-1]))
            texts = [watched.text() for watched in self._watched]
            return Snapshot(
                **counts,
                running=len(self._running) + self._elsewhere,
                elapsed=now - self._began,
                left=self._left(now, counts),
                causes=dict(self._causes),
                metrics=[text for text in texts if text is not None],
            )

    def _left(self, now: float, counts: Mapping[str, int]) -> float | None:
        (since, before), (latest, ended) = self._pace[0], self._pace[-1]
        to_do = counts["total"] - sum(counts[name] for name in _COUNTS[:-1])
        if to_do == 0:
            return 0.0
        if ended == before:
            return None
        interval = (latest - since) / (ended - before)
        # While a run lasts, the time it has taken so far counts only until it is overdue.
        return interval * to_do - min(now - latest, interval)
