"""Pace: how many runs go into a pool together."""

from __future__ import annotations

__all__ = ["Pace"]

_SECONDS = 0.7  # that a chunk shall take: far more than to send it, and little to wait for
_GROWTH = 4
_MOST = 4096
_WEIGHT = 0.5  # of the newest chunk


class Pace:
    """Learns how long runs take, beginning with chunks of one.

    Towards the end chunks become small, so that nobody waits for another's backlog.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._longest = 0
        self._mean: float | None = None

    def note(self, runs: int, seconds: float) -> None:
        """Note that a chunk of so many runs took so long."""
        if not runs:
            return
        each = seconds / runs
        self._mean = each if self._mean is None else self._mean + _WEIGHT * (each - self._mean)
        self._longest = max(self._longest, runs)

    def size(self, left: int) -> int:
        """Return how many runs the next chunk shall have, of so many that are left."""
        if self._mean is None:
            return 1
        timely = _MOST if self._mean * _MOST <= _SECONDS else int(_SECONDS / self._mean)
        share = -(-left // (2 * self._workers))
        return max(1, min(timely, share, _GROWTH * self._longest, _MOST))
