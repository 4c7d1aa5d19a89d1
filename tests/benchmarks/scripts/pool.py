"""The work of ``sweep.py`` on two worker processes of the standard library, by hand.

The operation and its params are the same. The workers import this script anew, as spawned
ones do, and find the experiment in it; what they return is kept as lines of JSON, synced.
"""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import metalab
from metalab import Capture, SeedBundle


@metalab.operation
def score(params: dict[str, float], seeds: SeedBundle, capture: Capture) -> None:
    """Return the metric of one run."""
    capture.metric("score", params["alpha"] * seeds.rng().random())


experiment = metalab.Experiment(
    name="cold",
    version="1",
    context={},
    operation=score,
    params=metalab.grid(alpha=[0.1, 0.2, 0.3, 0.4]),
    seeds=metalab.seeds(base=42),
)


def execute(index: int) -> dict[str, object]:
    """Return the metrics of one run."""
    capture = Capture()
    score(params=experiment.params[index].params, seeds=experiment.seeds[0], capture=capture)
    return dict(capture.metrics)


if __name__ == "__main__":
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        results = list(pool.map(execute, range(len(experiment.params))))
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "results.jsonl").open("a") as file:
        for metrics in results:
            file.write(json.dumps(metrics) + "\n")
        file.flush()
        os.fsync(file.fileno())
    print([metrics["score"] for metrics in results])
