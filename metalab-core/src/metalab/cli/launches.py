"""What ``metalab status`` says of launches that go on by themselves."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from metalab.cli.text import many
from metalab.detached import DetachedLaunch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from metalab.cli.collection import Experiment

__all__ = ["Outlook", "open_runs", "outlooks", "told"]

_MOST = 5  # launches whose executors are asked, for each of which a scheduler is put a question


@attrs.frozen
class Outlook:
    """How one launch that goes on by itself stands: its runs, and what its executor says."""

    launch: str
    executor: str
    counts: Mapping[str, int]
    described: Mapping[str, Any]

    @property
    def is_open(self) -> bool:
        """Whether it may still be at work."""
        return self.described["under_way"] is not False

    def document(self) -> dict[str, Any]:
        """Describe it for programs."""
        return {
            "launch": self.launch,
            "executor": self.executor,
            "runs": dict(self.counts),
            **self.described,
        }

    def lines(self) -> Iterator[str]:
        """Say it to people."""
        yield f"launch {self.launch}: {told(self.counts)}"
        for words in self.described["words"]:
            yield from (f"  {line}" for line in words.splitlines())


def outlooks(experiment: Experiment) -> list[Outlook]:
    """Look at the newest launch that goes on by itself, and at earlier ones that still do."""
    found: list[Outlook] = []
    for launch in islice(DetachedLaunch.all_of(experiment.store), _MOST):
        counts = launch.counts(experiment.log, experiment.lost)
        if found and not open_runs(counts):
            continue
        outlook = Outlook(launch.name, launch.dispatch.executor, counts, launch.describe())
        if not found or outlook.is_open:
            found.append(outlook)
    return found


def open_runs(counts: Mapping[str, int]) -> int:
    """Return how many runs have not ended for good."""
    return sum(number for state, number in counts.items() if state not in {"done", "failed"})


def told(counts: Mapping[str, int]) -> str:
    """Write how many runs are in which state."""
    parts = [f"{number:,} {name}" for name, number in counts.items() if number]
    return f"{many(sum(counts.values()), 'run')}: {', '.join(parts) or 'nothing to do'}"
