"""An experiment whose results the tests look at: some of its runs fail."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import metalab
from metalab.records import RunRecord


@metalab.operation
def study(params, seeds, capture):
    if params["lr"] > 5:
        raise ValueError("the rate is too high")
    capture.metric("loss", params["lr"] * 2)
    capture.metric("who", params["model"])
    capture.artifact("curve", {"at": params["lr"]})


def experiment(**changes):
    fields = {
        "name": "study",
        "version": "1.0",
        "context": None,
        "operation": study,
        "params": metalab.grid(lr=[0.5, 1, 9], model=["svm", "tree"]),
        "seeds": metalab.seeds(42, replicates=2),
        "tags": ["paper"],
    }
    return metalab.Experiment(**{**fields, **changes})


def run(exp, store, **options):
    return metalab.run(exp, store=store, executor="inline", progress=False, **options).result()


def record(run_id, **fields):
    now = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=5)))
    return RunRecord.success(
        run_id=run_id * 32,
        experiment_id="held:1",
        started_at=now,
        finished_at=now + timedelta(seconds=1),
        duration_ms=1000.0,
        **fields,
    )
