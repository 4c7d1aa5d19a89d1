"""The points of metric series, collected in memory and handed to the writer in chunks."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from metalab.records import Metric

if TYPE_CHECKING:
    from metalab.records import AttemptKey
    from metalab.store.base import RunWriter

__all__ = ["Point", "SeriesBuffer"]

Point = tuple[int | float, Metric]

_CHUNK = 256  # points, enough that a line's fixed cost is spread thin
_PAUSE = 0.5  # seconds, so that a run that is watched shows what it does


class SeriesBuffer:
    """Points by name of series, until a chunk is full or half a second has passed.

    Without a writer all points stay here. Whoever adds or flushes holds the ``lock``.
    """

    def __init__(self, run: AttemptKey | None, writer: RunWriter | None) -> None:
        self.lock = threading.Lock()
        self._pending: dict[str, list[Point]] = {}
        self._run = run
        self._writer = writer
        self._count = 0
        self._flushed = time.monotonic()

    def add(self, name: str, point: Point) -> None:
        """Collect one point."""
        self._pending.setdefault(name, []).append(point)
        self._count += 1
        if self._count >= _CHUNK or time.monotonic() - self._flushed >= _PAUSE:
            self.flush()

    def flush(self) -> None:
        """Hand over what was collected; what the writer does not take stays collected."""
        self._flushed = time.monotonic()
        if self._run is None or self._writer is None:
            return
        for name, points in self._pending.items():
            if points:
                self._writer.put_series(self._run, name, tuple(points))
                self._count -= len(points)
                points.clear()

    def points(self) -> dict[str, tuple[Point, ...]]:
        """Return what is not yet handed over, by name of the series."""
        with self.lock:
            return {name: tuple(points) for name, points in self._pending.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._pending
