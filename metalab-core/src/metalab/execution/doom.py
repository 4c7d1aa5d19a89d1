"""Doom: that a run is not tried again, since attempts at it were lost too often in a row."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from metalab.errors import MetalabError, RunTimeoutError, WorkerDiedError
from metalab.store.causes import BLAMEABLE, INTERRUPTIONS, Cause, cause_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from metalab.store.reading import Loss

__all__ = ["Doom", "causes_by_attempt", "lost_in_a_row"]

_MOST_INTERRUPTIONS = 16
_WORDS = {
    Cause.KILLED: "its process died",
    Cause.MEMORY: "it took more memory than it was given",
    Cause.TIMEOUT: "the time of its job was up before it had ended or kept a checkpoint",
    Cause.GONE: "its worker ended, nobody knows why",
    Cause.PREEMPTED: "its job was preempted",
    Cause.NODE_FAIL: "its machine failed",
    Cause.CANCELLED: "its job was cancelled",
    Cause.SILENT: "nothing more was heard of its worker",
}


@attrs.frozen
class Doom:
    """Why a run is not tried again: in words for its record, and whether it ran out of time."""

    words: str
    is_timeout: bool = False

    @classmethod
    def of(cls, causes: Sequence[Cause], log: str = "", last: str = "") -> Doom:
        """Say what ended the attempts, oldest first, and where the last log is, if there is one.

        ``last`` is what else is known of the end of the last one.
        """
        counts = Counter(causes)
        told = "; ".join(f"{_WORDS[cause]}, {_times(n)}" for cause, n in counts.items())
        where = f"; the last log is {log}" if log else ""
        words = (
            f"it was lost {_times(len(causes))} in a row ({told})"
            f"{f'; the last time {last}' if last else ''}{where}; "
            "run the experiment again to try once more"
        )
        return cls(words, causes[-1] is Cause.TIMEOUT)

    def error(self) -> MetalabError:
        """Return what the run is recorded as failed with."""
        return RunTimeoutError(self.words) if self.is_timeout else WorkerDiedError(self.words)


def lost_in_a_row(
    losses: Iterable[Loss], ended: Callable[[], Collection[int]], attempts: int
) -> Mapping[int, Cause] | None:
    """Return what ended the latest attempts of one epoch, if that is more than is put up with.

    ``ended`` returns the attempts that have a record of their end; it is asked only where that
    matters. One after which a worker was lost all the same is a lost one. What a run may have
    brought about itself is borne fewer than ``attempts`` times, what happens to any run fewer
    than 16 times.
    """
    lost = causes_by_attempt(losses)
    if not _is_too_much(lost.values(), attempts):
        return None
    last = max(set(ended()) - lost.keys(), default=0)
    counted = BLAMEABLE | INTERRUPTIONS
    row = {n: cause for n, cause in sorted(lost.items()) if n > last and cause in counted}
    return row if _is_too_much(row.values(), attempts) else None


def _is_too_much(causes: Collection[Cause], attempts: int) -> bool:
    blamed = sum(cause in BLAMEABLE for cause in causes)
    return blamed >= attempts or (
        sum(cause in INTERRUPTIONS for cause in causes) >= _MOST_INTERRUPTIONS
    )


def causes_by_attempt(losses: Iterable[Loss]) -> dict[int, Cause]:
    """Return what ended each attempt: of what several observers say, what is known best."""
    found: dict[int, Cause] = {}
    for loss in losses:
        cause = cause_of(loss.cause)
        found[loss.attempt] = min(cause, found.get(loss.attempt, cause), key=_weight)
    return found


def _weight(cause: Cause) -> tuple[bool, bool, bool, str]:
    return (
        cause is not Cause.PAUSED,  # it has saved its state, whatever ended its place after that
        cause not in BLAMEABLE,
        cause not in INTERRUPTIONS or cause is Cause.SILENT,
        cause,
    )


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
