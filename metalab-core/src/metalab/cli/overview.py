"""The table of a store's experiments: how many runs each has, by status, and how fresh they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from metalab.cli.collection import LOST
from metalab.cli.output import iso, local
from metalab.cli.text import say, show_table
from metalab.records import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from metalab.cli.collection import Experiment

__all__ = ["Overview", "overview_columns", "show_overviews"]

_STATUSES = (*(status.value for status in Status), LOST)


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


def overview_columns(found: Sequence[Overview]) -> dict[str, list[Any]]:
    """Return what the documents say as columns, which are there without an experiment too."""
    names = ("experiment_id", "runs", *_STATUSES, "changed")
    documents = [each.document() for each in found]
    return {name: [document[name] for document in documents] for name in names}


def show_overviews(found: Sequence[Overview], place: str) -> None:
    """Print the table, or that there is nothing in it."""
    if not found:
        say(f"{place} holds no experiment yet")
        return
    rows = [
        [
            each.experiment_id,
            f"{each.runs:,}",
            *(f"{n:,}" if (n := each.counts[status]) else "" for status in _STATUSES),
            local(each.changed),
        ]
        for each in found
    ]
    numeric = range(1, len(_STATUSES) + 2)
    show_table(["experiment", "runs", *_STATUSES, "last change"], rows, numeric)
