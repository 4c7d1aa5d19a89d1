"""The board: what all launches of a process draw on together, a block of lines for each.

The blocks are redrawn in place, below whatever else appears on the terminal. The cursor waits on
the line above them: what others write there, who know of no board, such as another process,
pushes the blocks down and mixes with none. It is never hidden and no mode of the terminal is
changed, so a process that is killed leaves nothing amiss.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from typing import TYPE_CHECKING, TextIO

from metalab.progress.passing import divert, restore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from metalab.progress.passing import Passing

__all__ = ["Board", "board_on", "clear_boards"]

_APART = 0.15  # seconds between two drawings, however many launches ask for one
_WIPE = "\x1b[J"  # from the cursor on
_DOWN = "\x1bD"  # without a carriage return
_KEEP_PLACE, _BACK_TO_PLACE = "\x1b7", "\x1b8"
_CURSOR = re.compile(r"\r(?!\n)|\x1b[78DM]|\x1b\[[0-9;?]*[A-HJKSTfhl]")
_boards: list[Board] = []
_lock = threading.RLock()  # of all boards: whoever prints may close one while another is opened


def board_on(stream: TextIO, block: object) -> Board:
    """Return the board on a terminal, with an empty block that is its caller's."""
    with _lock:
        board = next((each for each in _boards if each.stream is stream), None)
        if board is None:
            board = Board(stream)
            _boards.append(board)
        board.add(block)
        return board


def clear_boards() -> None:
    """Wipe every board, before the process leaves at once."""
    with _lock:
        for board in _boards.copy():
            board.give_way()


class Board:
    """Blocks of lines at the foot of one terminal; any thread may write."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_live = True
        self._blocks: dict[object, Sequence[str]] = {}
        self._is_drawn = False
        self._tail = ""  # what was printed by others since the last line end
        self._drawn = 0.0
        self._diverted: list[Passing] = []

    @property
    def width(self) -> int:
        """How many columns a line may have: one less than there are, so that none wraps."""
        return max(self._size().columns - 1, 1)

    def _size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):  # it has no descriptor, or its terminal no size
            return shutil.get_terminal_size()
        return size if size.columns and size.lines else shutil.get_terminal_size()

    def add(self, block: object) -> None:
        """Make room for a block; from the first on, what is printed goes above the board."""
        with _lock:
            if not self._blocks:
                self._diverted = divert(self, self.stream)
            self._blocks[block] = ()

    def show(self, block: object, lines: Sequence[str]) -> None:
        """Give a block new lines; the board is drawn anew unless it has just been."""
        with _lock:
            if block in self._blocks:
                self._blocks[block] = lines
                if time.monotonic() - self._drawn >= _APART:
                    self._draw()

    def remove(self, block: object, lines: Sequence[str] = ()) -> None:
        """Take a block off and write its last lines above the others, to stay."""
        with _lock:
            if self._blocks.pop(block, None) is None:
                return
            try:
                self._put("".join(["\r", _WIPE, *(f"{line}\n" for line in lines), self._tail]))
                self._draw()
            finally:
                if not self._blocks:
                    self._close()

    def write(self, stream: TextIO, printed: str) -> None:
        """Write what somebody prints on a stream, and draw the blocks below it.

        If it moves the cursor, somebody else draws here: the board is wiped for good then.
        """
        with _lock:
            self._attempt(self.give_way if _CURSOR.search(printed) else self._wipe)
            stream.write(printed)
            stream.flush()
            before, end, rest = printed.rpartition("\n")
            self._tail = rest if end else self._tail + before + rest
            self._attempt(self._draw)

    def _attempt(self, drawing: Callable[[], None]) -> None:
        try:
            drawing()
        except (OSError, ValueError):  # the terminal is gone, which is no fault of who prints
            self.forget()

    def give_way(self) -> None:
        """Wipe the board and draw on it no more."""
        with _lock:
            self._blocks.clear()
            try:
                self._wipe()
            finally:
                self._close()

    def forget(self) -> None:
        """Leave the terminal as it is: it is gone, or a parent's of whom this is a forked child."""
        self._blocks.clear()
        self._is_drawn = False
        self._close()

    def _close(self) -> None:
        self.is_live = False
        if self in _boards:
            _boards.remove(self)
        for passing in self._diverted:
            restore(passing)

    def _rows(self) -> list[str]:
        rows = [line for lines in self._blocks.values() for line in lines]
        most = max(self._size().lines - 2, 1)
        if len(rows) > most:  # the first line of a block says more than those below it
            rows = [lines[0] for lines in self._blocks.values() if lines]
        if len(rows) > most:
            rows = [*rows[: most - 1], f"... and {len(rows) - most + 1} more"]
        return rows

    def _draw(self) -> None:
        rows = self._rows()
        if not rows:
            return
        body = "".join(f"\n{row}\x1b[K" for row in rows)
        # There must be room below before the place of the cursor is kept: a terminal that
        # scrolls moves what is written, and not the place.
        room = f"{_DOWN * len(rows)}\x1b[{len(rows)}A"
        self._put(f"{room}{_KEEP_PLACE}\x1b[K{body}{_WIPE}{_BACK_TO_PLACE}")
        self._is_drawn = True
        self._drawn = time.monotonic()

    def _wipe(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            self._put(_WIPE)

    def _put(self, codes: str) -> None:
        self.stream.write(codes)
        self.stream.flush()


def _forget() -> None:
    # A forked child has the parent's board and none of the threads that draw on it.
    global _lock  # noqa: PLW0603  the parent's lock may be held by a thread left behind
    _lock = threading.RLock()
    for board in _boards.copy():
        board.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
