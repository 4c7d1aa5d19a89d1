"""Which runs are under way, found out by whoever looks, at no cost to the runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from array import array

__all__ = ["UnderWay"]


class UnderWay:
    """The runs that were begun and have not ended, brought up to date at each look.

    A ledger only ever appends to its lists, so a look reads what is new in them. A run that
    began and ended between two looks is never held here.
    """

    def __init__(self, skipped: int = 0) -> None:
        self._since: dict[int, float] = {}
        self._started = 0
        self._reopened = 0
        self._ended = skipped  # they head the list of those that ended

    def look(
        self, started: array[int], reopened: array[int], ended: array[int], now: float
    ) -> dict[int, float]:
        """Return the runs under way, oldest first, each with the look at which it was first seen.

        No run may end or be reopened meanwhile; more may be started.
        """
        begun = started[self._started :]
        again = reopened[self._reopened :]
        over = ended[self._ended :]
        self._started += len(begun)
        self._reopened += len(again)
        self._ended += len(over)
        # A run may be begun, reopened and begun anew between two looks.
        reborn = {
            index
            for index in set(again)
            if (index in self._since) + begun.count(index) > again.count(index) + over.count(index)
        }
        for index in self._since.keys() & {*over, *again}:
            del self._since[index]
        fresh = set(begun).difference(over, again) | reborn
        self._since.update(dict.fromkeys(sorted(fresh), now))
        return self._since.copy()
