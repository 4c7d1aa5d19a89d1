"""The limits: what each workload may cost, as a multiple of its floor in the same run."""

from __future__ import annotations

import attrs

__all__ = ["LIMITS", "SLACK", "Limit"]

SLACK = 1.25
"""``--check`` fails only beyond a limit times this: shared machines are noisy."""


@attrs.frozen
class Limit:
    """The most that a workload may cost; fewer runs than ``from_runs`` are shown, not judged.

    ``times`` is a multiple of the floor's CPU time, ``peak_mb`` the process's memory at its
    peak, interpreter and libraries included. What starting costs is spread over the runs,
    so that few of them say nothing about many.
    """

    times: float
    from_runs: int = 0
    peak_mb: float | None = None


LIMITS = {
    "S1": Limit(1.5, from_runs=100_000),
    "S2": Limit(2.0, from_runs=100_000),
    "S3": Limit(1.5, from_runs=100_000),
    # Besides listing the names they are put in order and compared with those that are known.
    "S4": Limit(2.5, from_runs=10_000),
    # Eight commit threads and eight syncs take their turns on whatever cores there are.
    "S5": Limit(2.0, from_runs=100_000),
    "W1": Limit(3.0, from_runs=10_000),
    "W2": Limit(1.5, from_runs=10_000),
    "W3": Limit(1.5, from_runs=10_000),
    "W4": Limit(1.5),
    "W6": Limit(2.0, from_runs=10_000, peak_mb=100.0),
}
