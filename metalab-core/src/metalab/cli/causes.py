"""Why runs failed: those that failed in the same way are one cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metalab.results import Run

__all__ = ["Cause", "cause_of", "causes_of"]


@attrs.frozen
class Cause:
    """A way in which runs failed, how many did, and the id of one of them."""

    cause: str
    runs: int
    example: str


def cause_of(run: Run) -> str:
    """Write in one line why a run failed."""
    error = run.error or {}
    message = " ".join(str(error.get("message", "")).split())
    kind = error.get("type") or "no cause given"
    return f"{kind}: {message}" if message else kind


def causes_of(runs: Iterable[Run]) -> list[Cause]:
    """Group runs that failed by their cause, the most frequent one first."""
    counts: dict[str, int] = {}
    examples: dict[str, str] = {}
    for run in runs:
        cause = cause_of(run)
        counts[cause] = counts.get(cause, 0) + 1
        examples.setdefault(cause, run.run_id)
    ordered = sorted(counts, key=lambda cause: -counts[cause])
    return [Cause(cause, counts[cause], examples[cause]) for cause in ordered]
