"""How commands lay out tables: with rich on a terminal, as plain text in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["columns", "show_table"]


def columns(rows: Sequence[Sequence[str]], numeric: Collection[int] = ()) -> str:
    """Lay rows of equal length out in columns, two blanks apart; numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in numeric else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def show_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Collection[int] = ()
) -> None:
    """Print a table on standard output; ``numeric`` are the places of columns of numbers."""
    if sys.stdout.isatty():
        try:
            # A soft dependency, drawn with where the user has installed it.
            from metalab.progress.rich import print_table  # noqa: PLC0415
        except ImportError:
            pass
        else:
            print_table([(name, place in numeric) for place, name in enumerate(header)], rows)
            return
    print(columns([header, *rows], numeric))
