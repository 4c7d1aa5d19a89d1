"""Detached launches: what goes on by itself, looked at and ended from any process.

Looking runs none of the user's code and changes nothing. Whatever cannot be known is said in
words: that the executor's plugin is not installed here, or that its scheduler is silent.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import attrs

from metalab.errors import MetalabError, PluginError
from metalab.execution.choice import chosen_executor
from metalab.execution.news import is_news, is_tried_again
from metalab.reattaching import dispatches, newest_dispatch
from metalab.records import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from metalab.execution.base import Executor
    from metalab.execution.dispatch import Dispatch
    from metalab.store.base import RunLog, Store

__all__ = ["Cancellation", "DetachedLaunch"]

_WORDS = {Status.SUCCESS: "done", Status.FAILED: "failed", Status.CANCELLED: "cancelled"}
_COUNTS = ("pending", "running", "done", "failed", "cancelled", "lost")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0


@attrs.frozen
class Cancellation:
    """What became of a launch that was to be ended.

    ``is_over`` tells whether nobody is at work on it any more, None where that is not known.
    ``words`` say why its executor could not be asked.
    """

    is_over: bool | None
    words: str | None = None


@attrs.frozen(eq=False)
class DetachedLaunch:
    """One launch that goes on by itself; ``executor`` is None where its plugin is missing."""

    dispatch: Dispatch
    executor: Executor | None
    trouble: str = ""

    @classmethod
    def of(cls, dispatch: Dispatch) -> Self:
        """Find whoever executes what was kept."""
        try:
            return cls(dispatch, chosen_executor(dispatch.executor))
        except PluginError as error:
            return cls(dispatch, None, str(error))

    @classmethod
    def newest(cls, store: Store, launch: str | None = None) -> Self:
        """Return an experiment's newest launch that goes on by itself, or the one of a name.

        Raises MetalabError, saying what there is, where there is none.
        """
        return cls.of(newest_dispatch(store, launch))

    @classmethod
    def all_of(cls, store: Store) -> Iterator[Self]:
        """Yield those of an experiment, the newest first."""
        return map(cls.of, dispatches(store))

    @property
    def name(self) -> str:
        """The launch's name, as ``handle.job_id`` has it."""
        return self.dispatch.launch

    def describe(self) -> Mapping[str, Any]:
        """Say how it is being executed, as strict JSON: ``words`` for people, ``under_way``."""
        if self.executor is None:
            words = [f"how its jobs stand cannot be asked: {self.trouble}"]
            return {"words": words, "under_way": None}
        return {"words": [], "under_way": None, **self.executor.describe(self.dispatch)}

    def counts(self, log: RunLog, lost: Collection[str] = ()) -> dict[str, int]:
        """Count the runs that it was to execute by what has become of them.

        They are pending, running, done, failed, cancelled (cut short, and not yet tried again)
        or lost, which are those of the ids ``lost`` that are under way.
        """
        found = dict.fromkeys(_COUNTS, 0)
        ids = [self.dispatch.ids.at(index) for index in self.dispatch.pending]
        failed: list[str] = []
        for run_id, state in zip(ids, log.states(ids), strict=True):
            if state is None or not is_news(
                self.dispatch, run_id, state.status, state.epoch, state.attempt
            ):
                found["pending"] += 1
            elif state.status is Status.RUNNING:
                found["lost" if run_id in lost else "running"] += 1
            else:
                found[_WORDS[state.status]] += 1
                if state.status is Status.FAILED:
                    failed.append(run_id)
        again = sum(map(is_tried_again, log.lines(failed)))
        found["failed"] -= again
        found["pending"] += again
        return found

    def outputs(self) -> Sequence[Path]:
        """Return the files that its jobs print into, the newest last; raises PluginError."""
        return self._asked.outputs(self.dispatch)

    def cancel(self, timeout: float) -> Cancellation:
        """End it, and wait until nobody is at work on it, at most so many seconds.

        Raises PluginError, and OSError where its folder is another user's.
        """
        executor = self._asked
        try:
            executor.cancel(self.dispatch)
        except MetalabError as error:
            return Cancellation(None, str(error))
        deadline, pause = time.monotonic() + timeout, _FIRST_PAUSE
        while (is_there := executor.is_under_way(self.dispatch)) and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return Cancellation(None if is_there is None else not is_there)

    @property
    def _asked(self) -> Executor:
        if self.executor is None:
            return chosen_executor(self.dispatch.executor)  # raises, or it was installed since
        return self.executor
