"""Tables drawn with rich: as wide as the terminal, and where that is too narrow, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich.box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["print_table"]

_FOLDED = 32  # a run's id is that long
_BETWEEN = 3


def print_table(columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of texts on standard output; ``columns`` are (name, is it numbers).

    Lines are broken between words, and within words of more than 32 characters; a number is
    never broken. Where the terminal is too narrow for that, each row is a list of its cells,
    those that are empty left out.
    """
    console = Console()
    widths = _widths(columns, rows, console.width)
    if widths is not None:
        console.print(_across(columns, rows, widths))
        return
    for row in rows:
        console.print()
        console.print(_down(columns, row))


def _widths(
    columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]], width: int
) -> list[int] | None:
    """Return how wide each column is, the widest ones narrowed; None if they do not fit."""
    cells = [[row[place] for row in rows] for place in range(len(columns))]
    named = [(name, is_number, own) for (name, is_number), own in zip(columns, cells, strict=True)]
    most = [_widest([name, *own]) for name, _, own in named]
    least = [
        max(_narrowest([name]), (_widest if is_number else _narrowest)(own))
        for name, is_number, own in named
    ]
    room = width - _BETWEEN * (len(columns) - 1)
    if sum(least) > room:
        return None
    widths, level = most, max(most, default=0)
    while sum(widths) > room:
        level -= 1
        widths = [max(low, min(high, level)) for low, high in zip(least, most, strict=True)]
    return widths


def _widest(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _narrowest(texts: Sequence[str]) -> int:
    words = (cell_len(word) for text in texts for word in text.split())
    return min(max(words, default=0), _FOLDED)


def _across(
    columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]], widths: Sequence[int]
) -> Table:
    table = Table(box=rich.box.SIMPLE_HEAD, header_style="bold", show_edge=False, pad_edge=False)
    for (name, is_number), width in zip(columns, widths, strict=True):
        table.add_column(
            Text(name), justify="right" if is_number else "left", overflow="fold", width=width
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _down(columns: Sequence[tuple[str, bool]], row: Sequence[str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for (name, _), cell in zip(columns, row, strict=True):
        if cell:
            table.add_row(Text(name), Text(cell))
    return table
