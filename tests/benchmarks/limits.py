"""The limits: what each workload may cost, compared with its floor in the same run."""

from __future__ import annotations

from abc import ABC, abstractmethod

import attrs

__all__ = ["LIMITS", "SLACK", "AtLeast", "AtMost", "Efficiency", "Limit"]

SLACK = 1.25
"""``--check`` fails only beyond a limit times this: shared machines are noisy."""


@attrs.frozen(kw_only=True)
class Limit(ABC):
    """What is wanted of a workload; fewer runs than ``from_runs`` are shown, not judged.

    ``peak_mb`` is the process's memory at its peak, interpreter and libraries included. What
    starting costs is spread over the runs, so that few of them say nothing about many.
    """

    from_runs: int = 0
    peak_mb: float | None = None

    @property
    @abstractmethod
    def text(self) -> str:
        """The limit in a cell of the table."""

    @abstractmethod
    def excess(self, floor: float, ours: float) -> float:
        """Return how far a figure is beyond the limit: 1.0 is at the limit."""


@attrs.frozen
class AtMost(Limit):
    """For what should be small: at most so many times the floor."""

    times: float

    @property
    def text(self) -> str:
        return f"{self.times:g}x"

    def excess(self, floor: float, ours: float) -> float:
        return ours / floor / self.times


@attrs.frozen
class AtLeast(Limit):
    """For what should be large: at least so many times the floor."""

    times: float

    @property
    def text(self) -> str:
        return f">= {self.times:g}x"

    def excess(self, floor: float, ours: float) -> float:
        return self.times * floor / ours


@attrs.frozen
class Efficiency(Limit):
    """For percents of the ideal: at least ``percent``, or the floor's less ``below`` if that
    is less, as it is on a machine that has other things to do.

    The excess compares what is lost, not what is reached, of which 1.25 times less would
    be no efficiency to speak of.
    """

    percent: float = 100.0
    below: float = 0.0

    @property
    def text(self) -> str:
        return f">= {self.percent:g} %" if self.percent < 100 else f">= floor - {self.below:g} %"

    def excess(self, floor: float, ours: float) -> float:
        wanted = min(self.percent, floor - self.below)
        return max(0.0, 100 - ours) / max(1e-9, 100 - wanted)


LIMITS: dict[str, Limit] = {
    # Of fewer runs the moment of an autovacuum decides which side reads an index alone.
    "P1 counts": AtMost(1.5, from_runs=1_000_000),
    "P1 frame": AtMost(1.5, from_runs=100_000),
    "P1 points": AtMost(8.0),  # four statements instead of one: names, odd rows, a copy
    "P1 replicates": AtMost(3.0, from_runs=100_000),
    "P1 resume": AtMost(1.5, from_runs=100_000),
    "P1 top": AtMost(1.5, from_runs=100_000),
    # A write costs 0.6 us on some machines and 2 on others; of few lines that is compared.
    "S1": AtMost(1.5, from_runs=1_000_000),
    "S2": AtMost(2.0, from_runs=100_000),
    "S3": AtMost(1.5, from_runs=100_000),
    # Besides listing the names they are put in order and compared with those that are known.
    "S4": AtMost(2.5, from_runs=10_000),
    # Eight commit threads and eight syncs take their turns on whatever cores there are.
    "S5": AtMost(2.0, from_runs=100_000),
    "S6": AtMost(2.0, from_runs=100_000),
    # A slow disk hides the hashing, a fast one does not: then it is what the hash costs.
    "S7": AtMost(1.3, from_runs=100),
    "S8": AtMost(2.0, from_runs=100_000),
    "W1": AtMost(3.0, from_runs=10_000),
    "W2": AtMost(1.5, from_runs=10_000),
    "W3": AtMost(1.5, from_runs=10_000),
    "W4": AtMost(1.5),
    "W5 1 ms": Efficiency(92.0, from_runs=10_000),
    "W5 10 ms": Efficiency(below=1.0, from_runs=1_000),
    "W5 100 ms": Efficiency(below=1.0, from_runs=100),
    "W5 trivial": AtLeast(1.6, from_runs=100_000, peak_mb=150.0),
    "W5 cold": AtMost(1.5),
    "W5 peer": Efficiency(),
    "W6": AtMost(2.0, from_runs=10_000, peak_mb=100.0),
    # Calls are some three of each pilot, and few of who submits, whatever the number of runs.
    "W7 calls": AtMost(16.0, from_runs=1_000),
    # Fewer runs last for less than their interpreters take to start, of which ours are eight.
    "W7 chunks": AtLeast(0.9, from_runs=100_000),
    "W7 sbatch": AtMost(1.0),
    "W7 submit": AtMost(1.5, from_runs=1_000_000),
    "W7 tasks": AtLeast(20.0, from_runs=10_000),
}
