"""Tasks: what a worker is to do next, as a few small integers."""

from __future__ import annotations

from typing import NamedTuple

from metalab.execution.inheritance import Try

__all__ = ["BACKFILL", "CAREFUL", "FINISH", "Task"]

CAREFUL, BACKFILL, FINISH = 1, 2, 4
"""Flags: the run may kill its worker; compute derived metrics only; end the launch."""


class Task(NamedTuple):
    """What a worker is to do: an attempt at one run of a launch, named by small integers.

    A tuple, since two are made for each run: an attrs class would take three times as long.
    """

    run: int = 0
    epoch: int = 0
    attempt: int = 1
    tries: int = 1
    launch: int = 0
    flags: int = 0

    @classmethod
    def of(cls, run: int, attempt: Try, launch: int = 0) -> Task:
        """Return the task of making an attempt at a run; its doom is left out."""
        flags = CAREFUL if attempt.careful else 0
        return cls(run, attempt.epoch, attempt.attempt, attempt.tries, launch, flags)

    def as_try(self) -> Try:
        """Return the attempt that this task is."""
        if self[1:4] == _FRESH and not self.flags:
            return _FIRST  # as nearly all are
        return Try(self.epoch, self.attempt, self.tries, careful=bool(self.flags & CAREFUL))


_FIRST = Try()
_FRESH = (_FIRST.epoch, _FIRST.attempt, _FIRST.tries)
