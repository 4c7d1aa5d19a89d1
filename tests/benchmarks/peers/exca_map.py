"""exca's MapInfra: a cached map over items; a result is all that it keeps of one."""
# Without `from __future__ import annotations`: exca looks at the annotations themselves.

import json
from collections.abc import Callable, Iterator
from typing import Any

import exca
import pydantic

from benchmarks.peers.common import frame_of, operation, points
from benchmarks.work import Work


def canonical(params: dict[str, Any]) -> str:
    """Tell items apart."""
    return json.dumps(params, sort_keys=True)


class Sweep(pydantic.BaseModel):
    """Maps the operation over the params of all runs."""

    infra: exca.MapInfra = exca.MapInfra()

    @infra.apply(item_uid=canonical)
    def scores(self, items: list[dict[str, Any]]) -> Iterator[float]:
        """Yield the metric of each."""
        for params in items:
            yield operation(**params)


def run(work: Work) -> Callable[[], int]:
    """Map it; the results stay in the cache until somebody goes through them."""
    model = _model(work)

    def phase() -> int:
        items = list(points(work))
        model.scores(items)
        return len(items)

    return phase


def frame(work: Work) -> Callable[[], int]:
    """Put the cached results beside the items that they belong to."""
    model = _model(work)
    return lambda: len(frame_of(work, list(model.scores(list(points(work))))))


def _model(work: Work) -> Sweep:
    work.folder.mkdir(parents=True, exist_ok=True)
    return Sweep(infra={"folder": work.folder})
