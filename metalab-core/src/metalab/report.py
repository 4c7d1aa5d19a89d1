"""Planning without running: what a launch would do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import attrs

from metalab.place import Place
from metalab.planning import check_experiment, make_plan
from metalab.resume import remainder

if TYPE_CHECKING:
    import os

    from metalab.experiment import Experiment
    from metalab.store.base import Store
    from metalab.store.config import StoreConfig

__all__ = ["PlanReport", "plan"]


@attrs.frozen
class PlanReport:
    """How many runs an experiment has, and how many of them are in which state.

    ``done`` and ``pending`` add up to ``total``; ``failed`` and ``unfinished`` are among
    the pending, ``other_code`` (successes made by other code) among the done.
    ``duplicates`` counts points that were written more than once.
    """

    experiment_id: str
    store: str
    total: int
    done: int
    pending: int
    failed: int
    unfinished: int
    other_code: int
    duplicates: int

    def __str__(self) -> str:
        """Tell the counts in words, one to a line; those that are zero are left out."""
        notes = (
            (self.done, "done"),
            (self.other_code, "of these by other code"),
            (self.pending, "to do"),
            (self.failed, "of these failed before"),
            (self.unfinished, "of these begun but not finished"),
            (self.duplicates, "points written more than once, run once"),
        )
        lines = [f"  {count:>9,} {what}" for count, what in notes if count]
        return "\n".join([f"{self.experiment_id}: {self.total:,} runs in {self.store}", *lines])


def plan(
    experiment: Experiment, store: str | os.PathLike[str] | StoreConfig | Store | None = None
) -> PlanReport:
    """Print and return what ``metalab.run`` would do with the same arguments.

    Nothing is executed or written.
    """
    check_experiment(experiment, "plan")
    place = Place.of(store, experiment.experiment_id)
    planned = make_plan(experiment)
    found = place.find()
    left = remainder(planned, found.read() if found is not None else None)
    report = PlanReport(
        experiment_id=planned.experiment_id,
        store=place.config.locator,
        total=len(planned),
        done=len(left.done),
        pending=len(left.pending),
        failed=left.failed,
        unfinished=left.unfinished,
        other_code=len(left.other_code),
        duplicates=len(planned.cases) - len(planned.points),
    )
    if sys.stdout is not None:  # as it is in a program without a console
        sys.stdout.write(f"{report}\n")
    return report
