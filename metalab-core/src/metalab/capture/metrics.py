"""The metrics of one run: the last value by name, and the series of those that have steps."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from metalab.capture.refusal import OVER, refusal
from metalab.capture.series import Point, SeriesBuffer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.records import Metric, RunRecord
    from metalab.store.base import RunWriter

__all__ = ["Metrics"]


class Metrics:
    """Takes plain scalars from any thread, until it is closed.

    The writer gets the points of series; without one they stay in ``series``. ``lock``
    guards this, and what else must know whether it is ``is_over``.
    """

    _series: SeriesBuffer | None = None
    is_over = False

    def __init__(self, record: RunRecord | None, writer: RunWriter | None) -> None:
        self.values: dict[str, Metric] = {}
        self._record = record
        self._writer = writer
        self.lock = threading.Lock()

    @property
    def series(self) -> dict[str, tuple[Point, ...]]:
        """The points (step, value) that are not yet written, by name of the series."""
        with self.lock:
            pending = {} if self._series is None else self._series.pending
            return {name: tuple(points) for name, points in pending.items()}

    def keep(self, call: str, values: Mapping[str, Metric], step: float | None) -> None:
        """Keep values under their names, or points at a step; all of them or none."""
        with self.lock:
            if self.is_over:
                raise refusal(call, ", ".join(values), OVER)
            if step is None and self._series is None:
                self.values.update(values)
                return
            self._keep_checked(call, values, step)

    def is_series(self, name: str) -> bool:
        """Tell whether points were captured under the name."""
        return self._series is not None and name in self._series

    def close(self) -> None:
        """Write the last points and take nothing more; raises what the writer raises."""
        with self.lock:
            self.is_over = True
            if self._series is not None:
                self._series.flush()

    def _keep_checked(self, call: str, values: Mapping[str, Metric], step: float | None) -> None:
        for name in values:
            if step is None and self.is_series(name):
                raise refusal(call, name, "it has points with steps, so it needs step= here too")
            if step is not None and name in self.values and not self.is_series(name):
                raise refusal(call, name, "it was captured without a step before")
        self.values.update(values)
        if step is not None:
            if self._series is None:
                self._series = SeriesBuffer(self._record, self._writer)
            for name, value in values.items():
                self._series.add(name, (step, value))
