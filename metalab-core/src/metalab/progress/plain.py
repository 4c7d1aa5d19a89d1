"""Progress as plain text: one line redrawn on a terminal, a few lines anywhere else."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from metalab.progress import text
from metalab.progress.tracker import LiveTracker

if TYPE_CHECKING:
    from metalab.progress.settings import Progress
    from metalab.progress.tally import Snapshot

__all__ = ["SimpleProgressTracker"]

_QUIET = 2.0
_LINE_EVERY = 10.0


class SimpleProgressTracker(LiveTracker):
    """Shows progress as plain text on a stream, the error stream by default.

    On a terminal one line is redrawn. Elsewhere there is a line at the start, one every ten
    seconds and one at the end; with ``patient`` a launch that succeeds within two seconds
    says nothing. The first causes of failure are told as they happen.
    """

    def __init__(
        self,
        settings: Progress | None = None,
        *,
        stream: TextIO | None = None,
        patient: bool = False,
    ) -> None:
        super().__init__(settings)
        self._stream = stream if stream is not None else sys.stderr
        self._live = self._stream.isatty()
        self._quiet = _QUIET if patient else 0.0
        self._announced = False
        self._next_line = _LINE_EVERY
        self._told: set[str] = set()

    def opened(self, snapshot: Snapshot) -> None:
        """Say what is about to happen, or nothing yet."""
        self._announced = False
        self._next_line = _LINE_EVERY
        self._told = set()
        self._announce(snapshot)

    def draw(self, snapshot: Snapshot) -> None:
        """Redraw the line, or add one when it is due."""
        self._announce(snapshot)
        self._tell_causes(snapshot)
        if self._live and self._announced:
            self._redraw(text.status_line(self.title, snapshot))
        elif snapshot.elapsed >= self._next_line:
            self._next_line = snapshot.elapsed + _LINE_EVERY
            self._write(text.status_line(self.title, snapshot))

    def closed(self, snapshot: Snapshot, status_line: str | None) -> None:
        """Say how it ended."""
        self._tell_causes(snapshot)
        if self._announced or snapshot.failed or snapshot.cancelled:
            self._write(status_line or text.status_line(self.title, snapshot, final=True))

    def _announce(self, snapshot: Snapshot) -> None:
        if not self._announced and snapshot.elapsed >= self._quiet:
            self._announced = True
            if not self._live:
                self._write(text.start_line(self.title, snapshot))

    def _tell_causes(self, snapshot: Snapshot) -> None:
        for cause in text.untold(snapshot, self._told):
            self._write(text.cause_line(cause))

    def _redraw(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r{line[:width]}\x1b[K")
        self._stream.flush()

    def _write(self, line: str) -> None:
        self._stream.write(f"\r\x1b[K{line}\n" if self._live else f"{line}\n")
        self._stream.flush()
