"""The work that the store's benchmarks share: the lines, the places, the questions."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import islice, product
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.work import METRIC, Work, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from metalab.records import RunRecord

__all__ = [
    "BY",
    "COLUMNS",
    "EXPERIMENT",
    "GROUP",
    "POLLS",
    "TOLD",
    "lines",
    "measured",
    "one_array",
    "plan_ids",
    "records",
    "segments",
    "whole_columns",
]

EXPERIMENT = "trivial:1"
GROUP = 1_000
"""How many lines are made durable together."""
POLLS = 20
"""How often a store that does not change is asked for news."""
COLUMNS = ("param_layer", "param_lr", "param_width", METRIC)
"""The columns of a small frame."""

BY = ("layer", "width")
"""The params that runs are grouped by."""
TOLD = tuple(f"m{number}" for number in range(10))
"""The metrics that are taken together."""


def records(runs: int, share: range | None = None) -> Iterator[RunRecord]:
    """Yield records like those of the other benchmarks' runs: of all, or of those at places."""
    from metalab.records import Provenance, RunRecord

    now = datetime.now(UTC)
    values = sweep(runs)
    places = range(runs) if share is None else share
    points = islice(product(*values.values()), places.start, None, places.step)
    for index, point in zip(places, points, strict=True):
        yield RunRecord.success(
            run_id=f"{index * 0x9E3779B97F4A7C15 % 2**128:032x}",
            experiment_id=EXPERIMENT,
            context_fingerprint="c" * 32,
            params_fingerprint="d" * 32,
            seed_fingerprint="e" * 32,
            started_at=now,
            finished_at=now,
            duration_ms=0.025769000785658136,
            params_resolved=dict(zip(values, point, strict=True)),
            metrics={METRIC: index / 7},
            provenance=Provenance(code_hash="0123456789abcdef", executor_id="thread:0"),
            seed=42,
            replicate=0,
            index=index,
        )


def measured(runs: int) -> Iterator[RunRecord]:
    """Yield the same records with ten metrics."""
    draw = random.Random(7).random
    for record in records(runs):
        yield attrs.evolve(record, metrics={name: draw() for name in TOLD})


def lines(runs: int) -> list[bytes]:
    """Return the lines of such records."""
    from metalab.store.document import record_line
    from metalab.store.lines import Stamp

    writer = "launch.0.host.01234567"
    return [
        record_line(record, Stamp(writer, 1, number, "launch"))
        for number, record in enumerate(records(runs), 1)
    ]


def one_array() -> Any:
    """Return an array of 1 MB."""
    import numpy as np

    return np.full(125_000, 0.5)


def plan_ids(runs: int) -> list[str]:
    """Return the ids of the runs that the other benchmarks execute."""
    from benchmarks.ours import experiment
    from metalab.planning import make_plan

    return list(make_plan(experiment(runs)).ids)


def whole_columns(work: Work) -> list[str]:
    """Return the columns of a frame that holds what was asked and answered."""
    return [*(f"param_{name}" for name in sweep(work.runs)), METRIC, "status", "seed", "replicate"]


def segments(work: Work) -> list[Path]:
    """List the segments in which the results of the one experiment lie."""
    return sorted(work.folder.glob("*/runs/*.jsonl"))
