"""The table of a store's experiments: how many runs each has, by status, and how fresh they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from metalab.cli.collection import LOST
from metalab.cli.output import iso, local
from metalab.cli.text import show_table
from metalab.records import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from metalab.cli.collection import Experiment

__all__ = ["Overview", "show_overviews"]


@attrs.frozen
class Overview:
    """An experiment in one line."""

    experiment_id: str
    counts: Mapping[str, int]
    changed: datetime | None

    @classmethod
    def of(cls, experiment: Experiment) -> Overview:
        """Count an experiment's runs."""
        return cls(experiment.experiment_id, experiment.counts(), experiment.last_change())

    @property
    def runs(self) -> int:
        """The number of runs that have a record."""
        return sum(self.counts.values())

    def document(self) -> dict[str, Any]:
        """Describe it for programs."""
        return {
            "experiment_id": self.experiment_id,
            "runs": self.runs,
            **self.counts,
            "changed": iso(self.changed),
        }


def show_overviews(found: Sequence[Overview], place: str) -> None:
    """Print the table, or that there is nothing in it."""
    if not found:
        print(f"{place} holds no experiment yet")
        return
    statuses = [*(status.value for status in Status), LOST]
    rows = [
        [
            each.experiment_id,
            f"{each.runs:,}",
            *(f"{n:,}" if (n := each.counts[status]) else "" for status in statuses),
            local(each.changed),
        ]
        for each in found
    ]
    numeric = range(1, len(statuses) + 2)
    show_table(["experiment", "runs", *statuses, "last change"], rows, numeric)
