"""The work that every system is given: a sweep over ten params, one metric a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["METRIC", "PILOTS", "WORKERS", "Work", "compute", "sweep"]

METRIC = "score"
"""The name of the one metric."""

WORKERS = 2
"""How many processes share the work where several do."""

PILOTS = 4
"""How many jobs of a cluster share the work."""

_OPTIMIZERS = [
    "adam",
    "adamw",
    "lamb",
    "lion",
    "momentum",
    "nadam",
    "radam",
    "rmsprop",
    "sgd",
    "yogi",
]
_VALUES: dict[str, list[Any]] = {
    "batch": [16 * i for i in range(1, 11)],
    "depth": list(range(2, 12)),
    "dropout": [i / 20 for i in range(10)],
    "gamma": [round(0.9 + i / 100, 2) for i in range(10)],
    "layer": ["conv", "dense", "gru", "lstm", "rnn", "tcn", "mlp", "gcn", "gat", "vit"],
    "lr": [round(0.001 * i, 3) for i in range(1, 11)],
    "optimizer": _OPTIMIZERS,
    "steps": [1000 * i for i in range(1, 11)],
    "width": [64 * i for i in range(1, 11)],
}


@attrs.frozen
class Work:
    """So many runs, kept in that folder; each computes for so many seconds."""

    runs: int
    folder: Path
    seconds: float = 0.0


def compute(seconds: float) -> None:
    """Keep this thread busy until it has had so many seconds of a processor.

    Not until so much time has passed, and not asleep: what else wants the processor then
    makes the run longer, as it does with every operation that computes.
    """
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def sweep(runs: int) -> dict[str, list[Any]]:
    """Return the ten params and their values, the product of which has so many points.

    As many params as there are zeros in ``runs`` take ten values each, and ``alpha`` takes
    what is left, so that the points of every size look alike.
    """
    tens = 0
    while runs % 10 == 0 and tens < len(_VALUES):
        runs //= 10
        tens += 1
    values = {"alpha": [round(0.25 + i / 8, 3) for i in range(runs)]}
    for position, (name, choices) in enumerate(_VALUES.items()):
        values[name] = choices if position >= len(_VALUES) - tens else choices[:1]
    return values
