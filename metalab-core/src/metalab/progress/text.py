"""Progress in words: one line, however it is then drawn."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.progress.tally import Snapshot

__all__ = [
    "cause_line",
    "cause_lines",
    "causes_at_the_end",
    "counts",
    "cut",
    "duration",
    "one_line",
    "pace",
    "start_line",
    "status_line",
    "under_way_lines",
    "untold",
]

_MAX_CAUSES = 5
_CAUSES_SHOWN = 3
_MILLISECONDS_BELOW = 0.095
_TENTHS_BELOW = 9.95
_WIDE = ("F", "W")


def duration(seconds: float) -> str:
    """Write a length of time in its largest sensible units: ``0.4 s``, ``3 min 20 s``."""
    if 0 < seconds < _MILLISECONDS_BELOW:
        return f"{1000 * seconds:.2g} ms"
    if seconds < _TENTHS_BELOW:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit} {rest} {smaller}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def pace(rate: float) -> str:
    """Write how many runs end in a second, or how long one takes if that is longer."""
    if rate < 1:
        return f"{duration(1 / rate)} a run"
    return f"{rate:,.0f} runs/s" if rate >= 10 else f"{rate:.1f} runs/s"  # noqa: PLR2004  two digits


def one_line(words: str) -> str:
    """Return the words with a space for all that a terminal would take for a command."""
    if words.isprintable():
        return words
    return "".join(letter if letter.isprintable() else " " for letter in words).strip()


def cut(line: str, width: int) -> str:
    """Return as much of a line as so many columns of a terminal can show."""
    if line.isascii():
        return line[:width]
    taken = 0
    for position, letter in enumerate(line):
        taken += _width(letter)
        if taken > width:
            return line[:position]
    return line


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in _WIDE else 1


def _counted(counts: Mapping[str, int]) -> list[str]:
    return [f"{number:,} {word}" for word, number in counts.items() if number]


def start_line(title: str, snapshot: Snapshot) -> str:
    """Say what is about to happen."""
    to_do = snapshot.total - snapshot.skipped
    done = f", {snapshot.skipped:,} done before" if snapshot.skipped else ""
    return f"{title}: {to_do:,} of {snapshot.total:,} runs to do{done}"


def status_line(
    title: str, snapshot: Snapshot, *, final: bool = False, longest: bool = False
) -> str:
    """Say what is counted and how far it has come; ``longest``, which run takes so long, too."""
    line = f"{title}: {counts(snapshot, final=final)}"
    if longest and snapshot.under_way:
        run = snapshot.under_way[0]
        line += f" ({run.name}: {duration(run.seconds)} so far)"
    return line


def counts(snapshot: Snapshot, *, final: bool = False) -> str:
    """Say how far it has come; ``final``, how long it took in place of what is left."""
    parts = [f"{snapshot.done:,}/{snapshot.total:,} runs"]
    parts += _counted(
        {
            "skipped": snapshot.skipped,
            "failed": snapshot.failed,
            "cancelled": snapshot.cancelled,
            "retried": snapshot.retried,
            "running": 0 if final else snapshot.running,
        }
    )
    parts += map(one_line, snapshot.metrics)
    if final:
        return ", ".join([*parts, f"took {duration(snapshot.elapsed)}"])
    if snapshot.rate:
        parts.append(pace(snapshot.rate))
    if snapshot.left is not None:
        parts.append(f"{duration(snapshot.left)} left")
    return ", ".join(parts)


def under_way_lines(snapshot: Snapshot) -> list[str]:
    """Say which runs have been executed for long, and for how long."""
    return [f"  {run.name}: {duration(run.seconds)}" for run in snapshot.under_way]


def cause_line(cause: str, number: int = 1) -> str:
    """Say why a run failed, or so many of them."""
    return f"failed: {cause}" if number == 1 else f"failed, {number:,} runs: {cause}"


def cause_lines(snapshot: Snapshot) -> list[str]:
    """Say why most of the runs failed that did."""
    causes = sorted(snapshot.causes.items(), key=lambda pair: -pair[1])
    return [f"  {cause_line(*each)}" for each in causes[:_CAUSES_SHOWN]]


def untold(snapshot: Snapshot, told: set[str]) -> list[str]:
    """Return the causes of failure not told yet, and note them as told; five in all."""
    new = [cause for cause in snapshot.causes if cause not in told][: _MAX_CAUSES - len(told)]
    told.update(new)
    return new


def causes_at_the_end(snapshot: Snapshot, told: set[str]) -> list[str]:
    """Say of each cause how many runs it made fail, but of those told that were of one run."""
    causes = sorted(snapshot.causes.items(), key=lambda pair: -pair[1])
    lines = [cause_line(*each) for each in causes if each[1] > 1 or each[0] not in told]
    if len(lines) > _MAX_CAUSES:
        lines[_MAX_CAUSES:] = [f"failed, {len(lines) - _MAX_CAUSES:,} more causes"]
    return lines
