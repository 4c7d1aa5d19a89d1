"""What is drawn with rich: the progress bar of a launch, and tables on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self, TextIO

import rich.box
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from metalab.progress import text
from metalab.progress.tracker import LiveTracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.progress.settings import Progress as Settings
    from metalab.progress.tally import Snapshot

__all__ = ["RichProgressTracker", "StatusBar", "print_table"]

_MAX_CAUSES = 5


def _is_terminal(stream: TextIO, original: TextIO | None) -> bool:
    return stream is original and stream.isatty()


class RichProgressTracker(LiveTracker):
    """Shows a bar, the counts, the watched metrics and the time left on the error stream."""

    def __init__(self, settings: Settings | None = None, *, stream: TextIO | None = None) -> None:
        super().__init__(settings)
        self._console = Console(file=stream) if stream is not None else Console(stderr=True)
        self._told: set[str] = set()
        # What is printed while the bar is drawn goes above it, but only from streams that
        # nobody directed elsewhere.
        self._bar = Progress(
            *_columns(),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=_is_terminal(sys.stdout, sys.__stdout__),
            redirect_stderr=_is_terminal(sys.stderr, sys.__stderr__),
        )
        self._task = self._bar.add_task("", title="", status="")

    def opened(self, snapshot: Snapshot) -> None:
        """Draw the bar for the first time."""
        self._told = set()
        self._bar.start()
        self.draw(snapshot)

    def draw(self, snapshot: Snapshot) -> None:
        """Draw the bar as it is now, new causes of failure above it."""
        for cause in text.untold(snapshot, self._told):
            self._console.print(Text(text.cause_line(cause), style="red"))
        self._bar.update(
            self._task,
            completed=snapshot.done,
            total=snapshot.total,
            title=self.title,
            status=text.counts(snapshot),
            refresh=True,
        )

    def closed(self, snapshot: Snapshot, status_line: str | None) -> None:
        """Put the last line in the bar's place."""
        self.draw(snapshot)
        self._bar.stop()
        line = status_line or text.status_line(self.title, snapshot, final=True)
        self._console.print(Text(line, style="yellow" if snapshot.failed else ""))


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


def print_table(columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of texts on standard output; ``columns`` are (name, is it numbers)."""
    table = Table(box=rich.box.SIMPLE_HEAD, header_style="bold")
    for name, numbers in columns:
        table.add_column(Text(name), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
