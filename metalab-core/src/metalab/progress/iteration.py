"""Progress of a loop over things that are no runs of a launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from metalab.events import Event
from metalab.progress.choice import create_progress_tracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["watched"]

T = TypeVar("T")


def watched(items: Iterable[T], total: int, title: str, progress: bool) -> Iterator[T]:
    """Yield the items, and with ``progress`` show how many of them have been dealt with."""
    tracker = create_progress_tracker(progress)
    tracker.start(total, 0, title)
    try:
        for done, item in enumerate(items):
            yield item
            tracker(Event.progress(completed=done + 1))
    finally:
        tracker.finish()
