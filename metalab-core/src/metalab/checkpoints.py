"""Checkpoints: what a run keeps of its state, so that a later attempt can go on from there."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["Checkpoints", "MemoryCheckpoints", "Place", "held"]

Place = tuple[int, int]
"""The epoch and the attempt in which a checkpoint was kept."""


class Checkpoints(abc.ABC):
    """The checkpoints of one run, as one attempt at it keeps and finds them.

    An attempt finds those of its own epoch, its own and those of earlier attempts. ``warnings``
    says, a sentence each, which of them could not be used.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []

    @abc.abstractmethod
    def keep(self, data: bytes) -> None:
        """Keep a checkpoint, durably; the one before it stays until the next. Raises StoreError."""

    @abc.abstractmethod
    def latest(self) -> bytes | None:
        """Return the newest that is as it was kept, or None.

        Raises PayloadError for another user's, StoreError if they cannot be read.
        """

    @abc.abstractmethod
    def clear(self) -> None:
        """Remove all that the run has kept in this epoch and before; what cannot be, stays."""


def held(*names: str) -> MutableMapping[Place, bytes]:
    """Return this process's dictionary of that name, the same one each time."""
    return _HELD.setdefault(names, {})


_HELD: dict[tuple[str, ...], MutableMapping[Place, bytes]] = {}


class MemoryCheckpoints(Checkpoints):
    """Checkpoints in a dictionary, which other attempts may share: the newest of each."""

    def __init__(
        self, kept: MutableMapping[Place, bytes] | None = None, epoch: int = 0, attempt: int = 1
    ) -> None:
        super().__init__()
        self._kept: MutableMapping[Place, bytes] = {} if kept is None else kept
        self._place = epoch, attempt

    def keep(self, data: bytes) -> None:
        """Keep a checkpoint for as long as the dictionary lives."""
        self._kept[self._place] = data

    def latest(self) -> bytes | None:
        """Return the newest, or None."""
        epoch, attempt = self._place
        places = [(e, a) for e, a in list(self._kept) if e == epoch and a <= attempt]
        return self._kept[max(places)] if places else None

    def clear(self) -> None:
        """Remove all of this epoch and before."""
        for place in list(self._kept):
            if place[0] <= self._place[0]:
                self._kept.pop(place, None)
