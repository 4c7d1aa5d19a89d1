"""The work that the benchmarks of the PostgreSQL index share: the runs, the questions."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from benchmarks.store_work import EXPERIMENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from metalab.records import RunRecord
    from metalab_postgres import PostgresStore

__all__ = ["COLUMNS", "DSN", "METRICS", "PARAMS", "REPEATED", "records", "some_ids", "store"]

DSN = "METALAB_BENCHMARKS_DSN"
"""The variable that names the server's database to the phases."""
REPEATED = 20
"""How often a question is asked that takes next to no time."""
PARAMS = ("lr", "wd", "layers", "width", "depth", "group", "p", "model", "opt", "data")
METRICS = ("acc", *(f"m{number}" for number in range(7)), "steps", "ok")
COLUMNS = (*(f"param_{name}" for name in PARAMS), *METRICS)
"""The columns of a frame: floats, integers, booleans and texts."""


def store(folder: Path) -> PostgresStore:
    """Open the store in a folder, whose index is a schema of its own."""
    from metalab_postgres import PostgresStore

    schema = f"b{sha256(str(folder).encode()).hexdigest()[:16]}"
    return PostgresStore(os.environ[DSN], folder, experiment_id=EXPERIMENT, schema=schema)


def records(runs: int) -> Iterator[RunRecord]:
    """Yield records of a sweep with ten replicates, ten params and ten metrics."""
    from metalab.records import Provenance, RunRecord

    draw = random.Random(7)
    now = datetime.now(UTC)
    for index in range(runs):
        values = (
            draw.choice((0.1, 0.01, 0.001)), draw.choice((0.0, 0.5)), draw.choice((2, 4, 8)),
            draw.choice((64, 128)), 3, index // 10, 0.5, draw.choice(("mlp", "svm", "tree")),
            draw.choice(("sgd", "adam")), draw.choice(("a", "b")),
        )  # fmt: skip
        floats = [draw.random() for _ in range(8)]
        yield RunRecord.success(
            run_id=_run_id(index),
            experiment_id=EXPERIMENT,
            context_fingerprint="c" * 32,
            params_fingerprint=f"{index // 10:032x}",
            seed_fingerprint="e" * 32,
            started_at=now,
            finished_at=now,
            duration_ms=12.5 + draw.random(),
            params_resolved=dict(zip(PARAMS, values, strict=True)),
            metrics=dict(zip(METRICS, (*floats, index % 1000, floats[0] < 0.5), strict=True)),
            provenance=Provenance(code_hash="0123456789abcdef"),
            seed=index,
            replicate=index % 10,
            index=index,
        )


def some_ids(runs: int) -> list[str]:
    """Return the ids of a few runs from all over."""
    return [_run_id(index * runs // REPEATED) for index in range(REPEATED)]


def _run_id(index: int) -> str:
    return f"{index * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"
