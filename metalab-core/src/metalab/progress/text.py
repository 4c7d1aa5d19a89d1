"""Progress in words: one line, however it is then drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.progress.tally import Snapshot

__all__ = ["cause_line", "counts", "duration", "start_line", "status_line", "untold"]

_MAX_CAUSES = 5
_MILLISECONDS_BELOW = 0.095
_TENTHS_BELOW = 9.95


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


def _counted(counts: Mapping[str, int]) -> list[str]:
    return [f"{number:,} {word}" for word, number in counts.items() if number]


def start_line(title: str, snapshot: Snapshot) -> str:
    """Say what is about to happen."""
    to_do = snapshot.total - snapshot.skipped
    done = f", {snapshot.skipped:,} done before" if snapshot.skipped else ""
    return f"{title}: {to_do:,} of {snapshot.total:,} runs to do{done}"


def status_line(title: str, snapshot: Snapshot, *, final: bool = False) -> str:
    """Say what is counted and how far it has come."""
    return f"{title}: {counts(snapshot, final=final)}"


def counts(snapshot: Snapshot, *, final: bool = False) -> str:
    """Say how far it has come; ``final``, how long it took in place of what is left."""
    parts = [f"{snapshot.done:,}/{snapshot.total:,} runs"]
    parts += _counted(
        {
            "skipped": snapshot.skipped,
            "failed": snapshot.failed,
            "cancelled": snapshot.cancelled,
            "running": 0 if final else snapshot.running,
        }
    )
    parts += snapshot.metrics
    if final:
        parts.append(f"took {duration(snapshot.elapsed)}")
    elif snapshot.left is not None:
        parts.append(f"{duration(snapshot.left)} left")
    return ", ".join(parts)


def cause_line(cause: str) -> str:
    """Say why a run failed."""
    return f"failed: {cause}"


def untold(snapshot: Snapshot, told: set[str]) -> list[str]:
    """Return the causes of failure not told yet, and note them as told; five in all."""
    new = [cause for cause in snapshot.causes if cause not in told][: _MAX_CAUSES - len(told)]
    told.update(new)
    return new
