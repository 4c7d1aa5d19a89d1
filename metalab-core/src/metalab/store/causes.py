"""Causes: why an attempt at a run has no end, or a writer came to its own."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["BLAMEABLE", "INTERRUPTIONS", "Cause", "cause_of"]


class Cause(StrEnum):
    """How what executed a run ended before the run did.

    Some of it the run may have brought about: a few of these in a row, and it is tried no more.
    Some of it happens to any run: much more of that is borne.
    """

    KILLED = "killed"
    """Its process died."""
    MEMORY = "memory"
    """It took more memory than it was given."""
    TIMEOUT = "timeout"
    """The time of its place was up, and it had kept no checkpoint in that attempt."""
    GONE = "gone"
    """Its executor says that it has ended, and does not know why."""
    PREEMPTED = "preempted"
    """Its place was given to somebody else."""
    NODE_FAIL = "node_fail"
    """Its machine failed."""
    CANCELLED = "cancelled"
    """Somebody cancelled its job."""
    SILENT = "silent"
    """Nothing was heard of it for minutes; this alone is no proof."""
    PAUSED = "paused"
    """The run had saved its state, and gave way: never counted."""
    BROKEN = "broken"
    """It was one of several that a broken pool may have ended, or that may have broken it: never
    counted, since it is tried again alone."""


BLAMEABLE = frozenset({Cause.KILLED, Cause.MEMORY, Cause.TIMEOUT})
"""What a run may have brought about itself."""

INTERRUPTIONS = frozenset(
    {Cause.GONE, Cause.PREEMPTED, Cause.NODE_FAIL, Cause.CANCELLED, Cause.SILENT}
)
"""What no run brings about."""


def cause_of(word: str) -> Cause:
    """Return the cause that a word means; ``gone`` for one that this version does not know."""
    try:
        return Cause(word)
    except ValueError:
        return Cause.GONE
