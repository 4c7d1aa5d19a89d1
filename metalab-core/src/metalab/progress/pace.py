"""Pace: how fast runs end, and how long the rest of them will take."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Pace"]

_WINDOW = 256
_OVERDUE = 1e-6
_APART = 1.0  # seconds between two samples at least


@attrs.frozen
class _Sample:
    """What was known at one moment: the worker-seconds spent until then, and in open runs."""

    time: float
    ended: int
    busy: float
    open: float


class Pace:
    """Learns from the runs that ended lately how fast runs end.

    Lately is the time in which the last 256 of them ended, and four minutes at least. The runs
    under way count with the part of a usual run that they have done: otherwise eight workers
    whose first run is over would seem to have done one run, not eight.
    """

    def __init__(self, now: float) -> None:
        self._samples = deque([_Sample(now, 0, 0.0, 0.0)], maxlen=_WINDOW)
        self._now = now
        self._latest = now
        self._ended = 0
        self._ages: Sequence[float] = ()
        self._busy = 0.0

    def note(self, now: float, ended: int, ages: Sequence[float]) -> None:
        """Take how many runs have ended by now, and for how long each other one is under way."""
        self._busy += (now - self._now) * (len(ages) + len(self._ages)) / 2
        self._now, self._ages = now, ages
        if ended == self._ended:
            return
        self._latest, self._ended = now, ended
        sample = _Sample(now, ended, self._busy, _capped(ages, self._length()))
        if len(self._samples) > 1 and now - self._samples[-2].time < _APART:
            self._samples[-1] = sample
        else:
            self._samples.append(sample)

    def rate(self) -> float | None:
        """Return how many runs end in a second; None until one has ended."""
        first = self._samples[0]
        ended, span = self._ended - first.ended, self._now - first.time
        if not ended or span <= 0:
            return None
        length = self._length()
        if length is None:
            # Nothing is known of open runs: one that should have ended by now counts as one.
            return min(ended / max(self._latest - first.time, 1e-9), (ended + 1) / span)
        return (self._busy - first.busy) / span / length

    def left(self, to_do: int) -> float | None:
        """Return the seconds that so many runs will take, those under way included.

        None until one has ended, and while all that is left is overdue.
        """
        if not to_do:
            return 0.0
        rate = self.rate()
        if rate is None:
            return None
        length = self._length()
        if length is None:
            left = to_do / rate - min(self._now - self._latest, 1 / rate)
        else:
            done = _capped(self._ages, length) / length
            youngest = min(self._ages, default=0.0) if to_do <= len(self._ages) else 0.0
            left = max((to_do - done) / rate, length - youngest)
        return left if left > _OVERDUE else None

    def _length(self) -> float | None:
        """Return how long a run usually takes: all time spent is that of runs, done or open.

        An open run counts as one that takes what it has taken so far, at most the usual time.
        """
        first = self._samples[0]
        ended, spent = self._ended - first.ended, self._busy - first.busy + first.open
        if not ended or self._busy <= first.busy:
            return None
        ages = sorted(self._ages)
        for shorter, age in enumerate(ages):
            usual = spent / (ended + len(ages) - shorter)
            if usual <= age:
                return usual
            spent -= age
        return spent / ended


def _capped(ages: Sequence[float], length: float | None) -> float:
    return sum(ages if length is None else (min(age, length) for age in ages))
