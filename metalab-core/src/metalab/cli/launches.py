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

__all__ = ["Outlook", "outlooks", "told"]

_MOST = 5  # launches whose executors are asked, for each of which a scheduler is put a question


@attrs.frozen
class Outlook:
    """How one launch that goes on by itself stands: its runs, and what its executor says."""

    launch: str
    executor: str
    counts: Mapping[str, int]
    described: Mapping[str, Any]

    @classmethod
    def of(cls, launch: DetachedLaunch, experiment: Experiment) -> Outlook:
        """Look at it; nothing is changed."""
        counts = launch.counts(experiment.log, experiment.lost)
        return cls(launch.name, launch.dispatch.executor, counts, launch.describe())

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
    newest_first = islice(DetachedLaunch.all_of(experiment.store), _MOST)
    found = [Outlook.of(each, experiment) for each in newest_first]
    return [*found[:1], *(each for each in found[1:] if each.is_open)]


def told(counts: Mapping[str, int]) -> str:
    """Write how many runs are in which state."""
    parts = [f"{number:,} {name}" for name, number in counts.items() if number]
    return f"{many(sum(counts.values()), 'run')}: {', '.join(parts) or 'nothing to do'}"
