"""What a piece of work cost, and which figure of that is compared."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import attrs

from benchmarks.work import WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CPU", "EFFICIENCY", "THROUGHPUT", "WALL", "Cost", "Gauge"]


@attrs.frozen
class Cost:
    """What a phase cost: microseconds per run, memory in MB, and what it left on disk."""

    cpu_us: float
    wall_us: float
    before_mb: float
    peak_mb: float
    files: float
    disk_bytes: float


@attrs.frozen
class Gauge:
    """What is read off a cost, and in which unit.

    ``read`` is given the seconds that each run computes, too. Of several samples the median
    counts, or with ``best`` the one that took the least time: whatever else the machine did
    can only have made the others slower.
    """

    unit: str
    read: Callable[[Cost, float], float]
    best: bool = False

    def of(self, samples: Sequence[Cost]) -> Cost:
        """Return the sample that counts."""
        return min(samples, key=lambda cost: cost.wall_us) if self.best else _median(samples)


def _median(samples: Sequence[Cost]) -> Cost:
    fields = [field.name for field in attrs.fields(Cost)]
    return Cost(**{name: median(getattr(cost, name) for cost in samples) for name in fields})


def _efficiency(cost: Cost, seconds: float) -> float:
    return 100 * 1e6 * seconds / WORKERS / cost.wall_us


CPU = Gauge("us", lambda cost, _: cost.cpu_us)
"""CPU time of a run."""

EFFICIENCY = Gauge("%", _efficiency, best=True)
"""The time that workers need which only ever compute, in percent of the time that passed."""

THROUGHPUT = Gauge("/s", lambda cost, _: 1e6 / cost.wall_us, best=True)
"""How many runs a second are dealt with."""

WALL = Gauge("us", lambda cost, _: cost.wall_us, best=True)
"""The time that passes, by run."""
