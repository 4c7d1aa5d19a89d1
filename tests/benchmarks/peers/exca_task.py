"""exca's TaskInfra: one model with one cached method a run."""
# Without `from __future__ import annotations`: exca looks at the annotations themselves.

from collections.abc import Callable

import exca
import pydantic

from benchmarks.peers.common import frame_of, operation, points
from benchmarks.work import Work


class Trial(pydantic.BaseModel):
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
    infra: exca.TaskInfra = exca.TaskInfra()

    @infra.apply
    def score(self) -> float:
        """Return the metric."""
        return operation(**self.model_dump(exclude={"infra"}))


def run(work: Work) -> Callable[[], int]:
    """Ask every model for its score."""
    work.folder.mkdir(parents=True, exist_ok=True)
    return lambda: len(_scores(work))


def frame(work: Work) -> Callable[[], int]:
    """Put the cached scores beside their params."""
    return lambda: len(frame_of(work, _scores(work)))


def _scores(work: Work) -> list[float]:
    settings = {"folder": work.folder}
    return [Trial(**params, infra=settings).score() for params in points(work)]
