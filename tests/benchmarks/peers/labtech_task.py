"""labtech: one task a run, all of them in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import labtech

from benchmarks.peers.common import frame_of, operation, points

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Work

labtech.logger.setLevel("WARNING")


@labtech.task
class Trial:
    """One run."""

    alpha: float
    batch: int
    depth: int
    dropout: float
    gamma: float
    layer: str
    lr: float
    optimizer: str
    steps: int
    width: int

    def run(self) -> float:
        """Return the metric."""
        return operation(alpha=self.alpha, batch=self.batch, lr=self.lr)


def run(work: Work) -> Callable[[], int]:
    """Run every task."""
    return lambda: len(_results(work))


def frame(work: Work) -> Callable[[], int]:
    """Put the cached results beside their params."""
    return lambda: len(frame_of(work, list(_results(work).values())))


def _results(work: Work) -> dict[Any, float]:
    lab = labtech.Lab(storage=work.folder, runner_backend="serial", notebook=False)
    tasks = [Trial(**params) for params in points(work)]
    return lab.run_tasks(tasks, disable_progress=True, disable_top=True)
