"""What is drawn with rich while runs are executed: the progress bars."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.text import Text

from metalab.progress import text
from metalab.progress.plain import SimpleProgressTracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.progress.tally import Snapshot

__all__ = ["RichProgressTracker", "StatusBar"]

_BAR = 30
_SHORTEST_BAR = 5
_UNCUT = 10_000


class RichProgressTracker(SimpleProgressTracker):
    """Shows progress in colours and with a bar, where the error stream is a terminal."""

    def block(self, snapshot: Snapshot, width: int) -> Sequence[str]:
        """Return a line with a bar, one for each long run and one for each cause of failure."""
        status = text.counts(snapshot)
        room = width - len(self.title) - len(status) - 2
        head = Text.assemble(f"{self.title} ", *self._bar(snapshot, min(room, _BAR)), f" {status}")
        runs = [Text(line, style="dim") for line in text.under_way_lines(snapshot)]
        causes = [Text(line, style="red") for line in text.cause_lines(snapshot)]
        return self._painted([head, *runs, *causes], width)

    def farewell(self, causes: Sequence[str], line: str, snapshot: Snapshot) -> Sequence[str]:
        """Return the causes of failure and the last line, in colours."""
        last = Text(line, style="yellow" if snapshot.failed else "")
        return self._painted([*(Text(cause, style="red") for cause in causes), last])

    def _bar(self, snapshot: Snapshot, width: int) -> list[tuple[str, str]]:
        if width < _SHORTEST_BAR:
            return []
        done = width * snapshot.done // max(snapshot.total, 1)
        is_plain = not (self._stream.encoding or "utf-8").lower().startswith("utf")
        full, empty = "#." if is_plain else "━─"
        return [(full * done, "green"), (empty * (width - done), "bright_black")]

    def _painted(self, lines: Sequence[Text], width: int | None = None) -> list[str]:
        """Write lines with the terminal's codes for their styles, cut to a width."""
        # It writes nowhere: the board puts the lines where they belong.
        console = Console(file=io.StringIO(), force_terminal=True, width=width or _UNCUT)
        with console.capture() as painted:
            for line in lines:
                console.print(line, no_wrap=True, overflow="crop", crop=True)
        return painted.get().splitlines()


class StatusBar:
    """A bar on standard output with words around it; the last ones stay when it is closed."""

    def __init__(self) -> None:
        self._console = Console()
        self._bar = Progress(*_columns(), console=self._console, auto_refresh=False)
        self._task = self._bar.add_task("", title="", status="")

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what was drawn last."""
        self._bar.stop()

    def draw(self, title: str, status: str, done: int, total: int | None) -> None:
        """Draw the bar anew; it only moves to and fro without a total."""
        self._bar.update(
            self._task, completed=done, total=total, title=title, status=status, refresh=True
        )

    def print(self, line: str, style: str = "") -> None:
        """Print a line above the bar."""
        self._console.print(Text(line, style=style))


def _columns() -> list[ProgressColumn]:
    """Return what a bar is drawn of: between a title and a status."""
    return [
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[status]}", markup=False),
    ]
