"""A detached launch's executor, asked now and then: what it says, and whether all is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from metalab.detached import DetachedLaunch

__all__ = ["Vigil"]

_SHORTEST, _LONGEST, _SLOWER = 2.0, 30.0, 1.5
_CERTAIN = 20.0  # seconds: whoever follows the launch may replace workers that are gone
_PATIENCE = 60.0  # seconds in which a launch is kept, once it is announced
_UNKNOWN: Mapping[str, Any] = {"words": [], "under_way": None}
_NEVER: Mapping[str, Any] = {
    "words": ["it was never submitted: whoever launched it ended before"],
    "under_way": False,
}


class Vigil:
    """Asks seldom where the answer stays the same; a scheduler is shared by many.

    Until it has asked, nothing is known. ``jobs`` is what the executor said last. ``find``
    returns the launch, None before it was kept.
    """

    def __init__(
        self,
        find: Callable[[], DetachedLaunch | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._launch: DetachedLaunch | None = None
        self._clock = clock
        self._began = clock()
        self._due = float("-inf")
        self._pause = _SHORTEST
        self._gone_since: float | None = None
        self.jobs: Mapping[str, Any] = _UNKNOWN

    @property
    def words(self) -> Sequence[str]:
        """What the executor says, in lines."""
        lines: Sequence[str] = self.jobs["words"]
        return lines

    def ask(self) -> bool:
        """Ask, if it is time to; True if the answer is another one than before."""
        if self._clock() < self._due:
            return False
        self._launch = self._launch or self._find()
        before = self.jobs
        self.jobs = self._unkept() if self._launch is None else self._launch.describe()
        now, is_news = self._clock(), self.jobs != before
        self._pause = _SHORTEST if is_news else min(_SLOWER * self._pause, _LONGEST)
        if self.jobs["under_way"] is not False:
            self._gone_since = None
        elif self._gone_since is None:
            self._gone_since = now
        if self._gone_since is not None:
            self._pause = _SHORTEST
        self._due = now + self._pause
        return is_news

    def _unkept(self) -> Mapping[str, Any]:
        return _NEVER if self._clock() - self._began >= _PATIENCE else _UNKNOWN

    def is_over(self) -> bool:
        """Tell whether nobody has been at work on it for a while, or it was cancelled."""
        if self._gone_since is None:
            return False
        is_cancelled = bool(self.jobs.get("cancelled"))
        return is_cancelled or self._clock() - self._gone_since >= _CERTAIN
