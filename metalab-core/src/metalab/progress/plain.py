"""Progress as plain text: a few lines redrawn on a terminal, one now and then anywhere else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from metalab.progress import text
from metalab.progress.board import Board, board_on
from metalab.progress.surroundings import Surroundings
from metalab.progress.tracker import LiveTracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.progress.settings import Progress
    from metalab.progress.tally import Snapshot

__all__ = ["SimpleProgressTracker"]

_SELDOM = 5  # times fewer looks are enough where a line is written now and then


class SimpleProgressTracker(LiveTracker):
    """Shows progress as plain text on a stream, the error stream by default.

    On a terminal a block of lines is redrawn, below those of other launches of the process
    and below what is printed. Elsewhere, and where somebody else draws on the terminal, there
    is a line at the start, one now and then and one at the end, and the first causes of
    failure are told as they happen. With ``patient`` nothing is said of a launch that succeeds
    within two seconds (half a second on a terminal).
    """

    def __init__(
        self,
        settings: Progress | None = None,
        *,
        stream: TextIO | None = None,
        patient: bool = False,
    ) -> None:
        super().__init__(settings)
        self._surroundings = Surroundings.of(stream, insist=self.settings.style == "rich")
        self._given = stream
        self._patience = self._surroundings.patience if patient else 0.0
        if not self._surroundings.live:
            self.interval *= _SELDOM
        self._board: Board | None = None
        self._begin()

    def _begin(self) -> None:
        self._stream = sys.stderr if self._given is None else self._given
        self._announced = False
        self._next_line = self._surroundings.pause
        self._told: set[str] = set()

    def opened(self, snapshot: Snapshot) -> None:
        """Say what is about to happen, or nothing yet."""
        self._begin()
        if self._surroundings.live:
            terminal = sys.__stderr__ if self._given is None else self._given
            assert terminal is not None  # noqa: S101  it was looked at
            self._board = board_on(terminal, self)
        self.draw(snapshot)

    def draw(self, snapshot: Snapshot) -> None:
        """Redraw the block, or add a line when one is due."""
        board = self._live_board()
        starts = not self._announced and snapshot.elapsed >= self._patience
        self._announced |= starts
        if board is not None:
            if self._announced:
                board.show(self, self.block(snapshot, board.width))
            return
        if starts:
            self._write([text.start_line(self.title, snapshot)])
        self._write([text.cause_line(cause) for cause in text.untold(snapshot, self._told)])
        if snapshot.elapsed >= self._next_line:
            self._next_line = snapshot.elapsed + self._surroundings.pause_after(snapshot.elapsed)
            self._write([text.status_line(self.title, snapshot, longest=True)])

    def closed(self, snapshot: Snapshot, status_line: str | None) -> None:
        """Say how it ended."""
        speaks = self._announced or snapshot.failed or snapshot.cancelled or snapshot.retried
        line = status_line or text.status_line(self.title, snapshot, final=True)
        causes = text.causes_at_the_end(snapshot, self._told)
        board = self._live_board()
        if board is None:
            self._write([*causes, line] if speaks else [])
        else:
            board.remove(self, self.farewell(causes, line, snapshot) if speaks else ())

    def abandoned(self) -> None:
        """Leave the board to the others."""
        if self._board is not None:
            self._board.remove(self)

    def block(self, snapshot: Snapshot, width: int) -> Sequence[str]:
        """Return the lines that show a launch on a terminal; none is wider than ``width``."""
        lines = [
            text.status_line(self.title, snapshot),
            *text.under_way_lines(snapshot),
            *text.cause_lines(snapshot),
        ]
        return [text.cut(line, width) for line in lines]

    def farewell(self, causes: Sequence[str], line: str, snapshot: Snapshot) -> Sequence[str]:  # noqa: ARG002  for those that colour it
        """Return the lines that stay on a terminal: the causes of failure and the last line."""
        return [*causes, line]

    def _live_board(self) -> Board | None:
        """Return the board, until somebody else draws on the terminal."""
        if self._board is not None and not self._board.is_live:
            self._board = None
            self._stream = sys.stderr if self._given is None else self._given
        return self._board

    def _write(self, lines: Sequence[str]) -> None:
        if lines:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()
