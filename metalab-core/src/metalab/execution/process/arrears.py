"""What deaths leave undone: derived metrics that a worker had yet to compute when it died."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from metalab.records import Status

if TYPE_CHECKING:
    from metalab.execution.base import Batch
    from metalab.execution.process.death import Death

__all__ = ["Arrears"]

_LOG = logging.getLogger(__name__)


class Arrears:
    """Knows whether runs of a launch may lack derived metrics; to be used by one thread.

    A worker computes those of several runs together, so its death does not tell which of them
    was the cause. ``is_careful`` says that from now on each run's are computed by themselves.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._given_up: set[int] = set()
        self._may_be = False
        self.is_careful = False

    def note(self) -> None:
        """Take note of the death of a worker that had begun the launch."""
        self._may_be = bool(self._batch.derived_metrics)

    def give_up(self, index: int, death: Death) -> None:
        """Say that a run's derived metrics are not computed, since that killed a worker."""
        self._given_up.add(index)
        _LOG.warning(
            "%s: no derived metrics of run %s: the process that computed them %s",
            self._batch.plan.experiment_id,
            self._batch.plan.ids.at(index),
            death.how,
        )

    def collect(self) -> list[int]:
        """Return the indices of the runs that lack any since the deaths that were noted."""
        if not self._may_be:
            return []
        # Most launches derive nothing, and this is a quarter of what a pilot imports.
        from metalab.results.derived import lacking  # noqa: PLC0415

        self._may_be, self.is_careful = False, True
        batch, ids = self._batch, self._batch.plan.ids
        log = batch.store.read(batch.log)
        states = ((index, log.state(ids.at(index))) for index in range(len(batch.plan)))
        done = [
            index
            for index, state in states
            if state is not None and state.status is Status.SUCCESS and index not in self._given_up
        ]
        return list(lacking(log, ids, done, batch.derived_metrics))
