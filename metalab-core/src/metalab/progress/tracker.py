"""Trackers: objects that are told of a launch's events and show how far it has come."""

from __future__ import annotations

import abc
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from metalab.events import Event, EventKind
from metalab.progress.settings import Progress
from metalab.progress.tally import Snapshot, Tally
from metalab.progress.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab.progress.view import LaunchView

__all__ = ["GuardedTracker", "LiveTracker", "ProgressTracker", "SilentTracker"]

_logger = logging.getLogger(__name__)


_ALL = frozenset(EventKind)
_RARE = frozenset({EventKind.RUN_FAILED, EventKind.RUN_RETRIED, EventKind.PROGRESS})


class ProgressTracker(abc.ABC):
    """Is told of the events of one launch, from any thread; the base for trackers of one's own."""

    def follow(self, view: LaunchView) -> frozenset[EventKind]:  # noqa: ARG002  for those that look
        """Choose the kinds of event to be told of: by default all of them.

        The view tells at any time how many runs have ended and which are under way. This is
        called before ``start``.
        """
        return _ALL

    @abc.abstractmethod
    def start(self, total: int, skipped: int = 0, title: str = "") -> None:
        """Begin: ``total`` runs in the plan, ``skipped`` of which need nothing."""

    @abc.abstractmethod
    def __call__(self, event: Event) -> None:
        """Take one event."""

    @abc.abstractmethod
    def finish(self, status_line: str | None = None) -> None:
        """End, showing a last line in place of the counts if one is given."""


class LiveTracker(ProgressTracker):
    """Counts runs and draws on a thread of its own, at a bounded rate.

    A launch is therefore never slowed down by what it is drawn on, and a fault in drawing
    is logged and ends the drawing, not the launch.
    """

    interval: float = 0.2
    """Seconds between two drawings."""

    def __init__(self, settings: Progress | None = None) -> None:
        self.settings = settings or Progress()
        self.title = self.settings.title or ""
        self._tally = Tally(self.settings.metrics)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._broken = False

    def follow(self, view: LaunchView) -> frozenset[EventKind]:
        """Look at the view for each drawing; hear of each run only where its metrics are shown."""
        self._tally.watch(view)
        # An event a run costs a sixth of what a trivial run costs.
        return _RARE | {EventKind.RUN_FINISHED} if self.settings.metrics else _RARE

    @abc.abstractmethod
    def opened(self, snapshot: Snapshot) -> None:
        """Draw for the first time."""

    @abc.abstractmethod
    def draw(self, snapshot: Snapshot) -> None:
        """Draw the present counts."""

    @abc.abstractmethod
    def closed(self, snapshot: Snapshot, status_line: str | None) -> None:
        """Draw for the last time."""

    @abc.abstractmethod
    def abandoned(self) -> None:
        """Let go of what is drawn on, after a fault."""

    def start(self, total: int, skipped: int = 0, title: str = "") -> None:
        """Begin to draw."""
        self.title = one_line(self.settings.title or title or "runs")
        self._tally.begin(total, skipped)
        self._ended.clear()
        self._show(self.opened)
        # A daemon: an interpreter that ends without finish() does not wait for a drawing.
        self._thread = threading.Thread(target=self._loop, name="metalab-progress", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Count one event."""
        self._tally.add(event)

    def finish(self, status_line: str | None = None) -> None:
        """Stop drawing after a last time; without effect the second time."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None
        self._show(self.closed, status_line)

    def _loop(self) -> None:
        while not self._ended.wait(self.interval):
            self._show(self.draw)

    def _show(self, drawing: Callable[..., None], *details: object) -> None:
        if self._broken:
            return
        try:
            drawing(self._tally.snapshot(), *details)
        except Exception:  # a closed stream or a fault of a terminal may not cost a run
            self._broken = True
            with suppress(Exception):  # it is the stream that is at fault
                self.abandoned()
            _logger.exception("progress is no longer shown")


class SilentTracker(ProgressTracker):
    """Shows nothing."""

    def follow(self, view: LaunchView) -> frozenset[EventKind]:  # noqa: ARG002  nothing is shown
        """Hear of nothing."""
        return frozenset()

    def start(self, total: int, skipped: int = 0, title: str = "") -> None:
        """Show nothing."""

    def __call__(self, event: Event) -> None:
        """Show nothing."""

    def finish(self, status_line: str | None = None) -> None:
        """Show nothing."""


class GuardedTracker(ProgressTracker):
    """Passes all on to a user's tracker, until that raises; what it raises is logged."""

    def __init__(self, tracker: ProgressTracker) -> None:
        self._tracker = tracker
        self._broken = False

    def follow(self, view: LaunchView) -> frozenset[EventKind]:
        """Pass the view on; a tracker that raises hears of nothing."""
        kinds: list[frozenset[EventKind]] = []
        self._pass_on(lambda: kinds.append(self._tracker.follow(view)))
        return kinds[0] if kinds else frozenset()

    def start(self, total: int, skipped: int = 0, title: str = "") -> None:
        """Pass the start on."""
        self._pass_on(self._tracker.start, total, skipped, title)

    def __call__(self, event: Event) -> None:
        """Pass an event on."""
        self._pass_on(self._tracker, event)

    def finish(self, status_line: str | None = None) -> None:
        """Pass the end on."""
        self._pass_on(self._tracker.finish, status_line)

    def _pass_on(self, method: Callable[..., None], *details: object) -> None:
        if self._broken:
            return
        try:
            method(*details)
        except Exception:  # a user's tracker may not cost a run
            self._broken = True
            _logger.exception("%r raised and is told nothing further", self._tracker)
