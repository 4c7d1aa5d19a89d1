"""Indexes: what a store may keep beside its runs, from which questions are answered faster.

An index can be thrown away at any time: it is made from what the store keeps, and brought up to
date from there.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["IndexStatus", "IndexedExperiment", "OnProgress", "StoreIndex"]

OnProgress = Callable[[int, int], None]


@attrs.frozen
class IndexedExperiment:
    """How the index of one experiment stands; ``bad_lines`` are those that the store reports,
    too, ``lag_bytes`` what it keeps that is not indexed yet.
    """

    experiment_id: str
    runs: int
    segments: int
    lines: int
    bad_lines: int
    lag_bytes: int


@attrs.frozen
class IndexStatus:
    """How an index stands.

    ``as_of`` is when it was last brought up to date, or now where it is not behind;
    ``size_bytes`` what it takes. ``field_indexes`` are the params and metrics that are found
    and sorted at once.
    """

    experiments: tuple[IndexedExperiment, ...]
    as_of: datetime
    size_bytes: int
    field_indexes: tuple[str, ...] = ()

    @property
    def lag_bytes(self) -> int:
        """How many bytes of the store are not indexed yet."""
        return sum(each.lag_bytes for each in self.experiments)

    @property
    def bad_lines(self) -> int:
        """How many lines could not be read."""
        return sum(each.bad_lines for each in self.experiments)


class StoreIndex(abc.ABC):
    """The index of a store. Every method raises StoreError where it cannot be used now."""

    @abc.abstractmethod
    def update(self) -> int:
        """Index what the store has beyond it; returns how many lines that were."""

    @abc.abstractmethod
    def rebuild(self, *, on_progress: OnProgress | None = None) -> int:
        """Make it anew, while readers use the old one; returns the number of lines.

        ``on_progress`` is called with how many bytes have been read, and of how many, by one
        thread at a time.
        """

    @abc.abstractmethod
    def verify(self) -> Sequence[str]:
        """Bring it up to date, compare it with the store run by run, and name each difference."""

    @abc.abstractmethod
    def status(self) -> IndexStatus:
        """Say how much is indexed, how far that is behind, and what could not be read."""

    @abc.abstractmethod
    def follow(self, stop: threading.Event, *, interval: float = 2.0) -> None:
        """Keep it up to date until ``stop`` is set, looking every ``interval`` seconds.

        Trouble is logged, and looked past.
        """
