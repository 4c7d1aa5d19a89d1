"""The metrics of one run: the last value by name, and the series of those that have steps."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from metalab.capture.refusal import OVER, refusal
from metalab.capture.series import Point, SeriesBuffer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.records import AttemptKey, Metric
    from metalab.store.base import RunWriter

__all__ = ["Metrics"]

_making = threading.Lock()


class Metrics:
    """Takes plain scalars from any thread, until it is closed.

    The writer gets the points of series; without one they stay in ``series``.
    """

    # Nearly all runs have no series, and need no lock: what a thread keeps is in place before
    # it asks whether the run is over, so it is in the record or refused, never lost silently.

    __slots__ = ("_run", "_series", "_writer", "is_over", "values")

    def __init__(self, run: AttemptKey | None, writer: RunWriter | None) -> None:
        self.values: dict[str, Metric] = {}
        self.is_over = False
        self._run = run
        self._writer = writer
        self._series: SeriesBuffer | None = None

    @property
    def series(self) -> dict[str, tuple[Point, ...]]:
        """The points (step, value) that are not yet written, by name of the series."""
        return {} if self._series is None else self._series.points()

    def keep(self, call: str, values: Mapping[str, Metric], step: float | None) -> None:
        """Keep values under their names, or points at a step; all of them or none."""
        if self.is_over:
            raise refusal(call, ", ".join(values), OVER)
        if step is None and self._series is None:
            self.values.update(values)
        else:
            self._keep_beside_series(call, values, step)
        if self.is_over:
            raise refusal(call, ", ".join(values), OVER)

    def is_series(self, name: str) -> bool:
        """Tell whether points were captured under the name."""
        return self._series is not None and name in self._series

    def close(self) -> None:
        """Write the last points and take nothing more; raises what the writer raises."""
        self.is_over = True
        if self._series is not None:
            with self._series.lock:
                self._series.flush()

    def _keep_beside_series(
        self, call: str, values: Mapping[str, Metric], step: float | None
    ) -> None:
        with _making:
            if self._series is None:
                self._series = SeriesBuffer(self._run, self._writer)
        with self._series.lock:
            for name in values:
                self._check_use(call, name, is_point=step is not None)
            self.values.update(values)
            if step is not None:
                for name, value in values.items():
                    self._series.add(name, (step, value))

    def _check_use(self, call: str, name: str, *, is_point: bool) -> None:
        if self.is_series(name) and not is_point:
            raise refusal(call, name, "it has points with steps, so it needs step= here too")
        if is_point and name in self.values and not self.is_series(name):
            raise refusal(call, name, "it was captured without a step before")
