"""How commands lay out tables: with rich on a terminal, as plain text in a pipe."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from metalab.harmless import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["as_it_is", "columns", "many", "put_bytes", "say", "show_table", "size"]

_STEP = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB")


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
    header = list(map(harmless, header))
    rows = [list(map(harmless, row)) for row in rows]
    if _is_drawn():
        try:
            # A soft dependency, drawn with where the user has installed it.
            from metalab.progress.table import print_table  # noqa: PLC0415
        except ImportError:
            pass
        else:
            print_table([(name, place in numeric) for place, name in enumerate(header)], rows)
            return
    print(columns([header, *rows], numeric))


def _is_drawn() -> bool:
    # With FORCE_COLOR rich takes whatever it writes to for a terminal.
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def say(text: str, *, to_errors: bool = False, flush: bool = False) -> None:
    """Print words of ours on standard output, or as an error; no name in them commands a terminal.

    A line feed within is printed as one.
    """
    print(harmless(text), file=sys.stderr if to_errors else sys.stdout, flush=flush)


def as_it_is() -> Callable[[str], object]:
    """Return what writes text of a run on standard output: exactly, but harmless on a terminal.

    In a pipe or a file it is UTF-8, and its ends of lines are those that the text has.
    """
    if sys.stdout.isatty():
        return lambda text: sys.stdout.write(harmless(text))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="")
    return sys.stdout.write


def put_bytes(content: bytes) -> None:
    """Print what a file holds: byte for byte, but on a terminal as text, and harmless."""
    if sys.stdout.isatty() or not isinstance(sys.stdout, io.TextIOWrapper):
        as_it_is()(content.decode("utf-8", "replace"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)


def many(number: int, what: str) -> str:
    """Write a number of things, in the plural where there is not one."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def size(number: int) -> str:
    """Write a number of bytes in a unit in which it is easily read."""
    if number < _STEP:
        return many(number, "byte")
    amount, unit = float(number), 0
    while amount >= _STEP and unit < len(_UNITS):
        amount, unit = amount / _STEP, unit + 1
    return f"{amount:.1f} {_UNITS[unit - 1]}"
