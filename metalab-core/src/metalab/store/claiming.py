"""Claims: how launches of one experiment share its runs, so that each is executed once.

The indices of a plan are cut into *units*. Whoever wants to execute a unit claims it; the
claim of the highest generation counts. The owner of a unit has it until its writer has
released it or is over; then anybody may claim it again, with the next generation.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

import attrs

from metalab.store.causes import Cause, cause_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UNITS", "Claim", "Claims", "Ending", "unit_of"]

UNITS = 256
"""Into how many units a plan is cut, unless whoever cuts it knows of many more to share it."""

_MOST_RUNS = 1024
_CLOSED = "closed"


@attrs.frozen
class Claim:
    """Says that a writer of a launch executes a unit, unless a later generation says otherwise."""

    unit: int
    generation: int
    writer: str
    launch: str


def _word(cause: str) -> str:
    return cause if cause == _CLOSED else cause_of(cause).value


@attrs.frozen
class Ending:
    """How a writer ended. One that did not close may have taken a run with it.

    ``cause`` is ``closed``, or a word of Cause: ``killed`` for a process of this machine that is
    gone, ``silent`` where only that is known, and what its executor says, if it has one. Words
    of a later version count as ``gone``. ``words`` are what people are told besides.
    """

    cause: str = attrs.field(converter=_word)
    words: str = ""

    @property
    def closed(self) -> bool:
        """Whether the writer ended in order."""
        return self.cause == _CLOSED

    @property
    def is_proved(self) -> bool:
        """Whether it is certain: silence may end."""
        return self.cause != Cause.SILENT


class Claims(abc.ABC):
    """The claims on the units of one plan.

    Unit ``u`` holds the plan's indices from ``u * size`` on, ``size`` of them; the first
    launch of a plan fixes the size for all.
    """

    size: int

    @abc.abstractmethod
    def owners(self) -> Mapping[int, Claim]:
        """Return the newest claim that is known on each unit; a later one may exist."""

    @abc.abstractmethod
    def take(self, claim: Claim) -> bool:
        """Make a claim; False if another has that unit and generation. At most one gets it."""


def unit_of(runs: int, units: int = UNITS) -> int:
    """Return how many runs a unit has, where a plan is cut into about so many units.

    A claim costs as much as recording a few runs, so large plans have larger units.
    """
    return min(_MOST_RUNS, -(-runs // units))
