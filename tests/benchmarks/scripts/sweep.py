"""Four runs on two worker processes of metalab, stored in the folder it is given, printed.

Everything is in it that the first call of a script costs: ids, provenance, durable records.
"""

import sys

import metalab
from metalab import Capture, SeedBundle


@metalab.operation
def score(params: dict[str, float], seeds: SeedBundle, capture: Capture) -> None:
    """Return the metric of one run."""
    capture.metric("score", params["alpha"] * seeds.rng().random())


if __name__ == "__main__":
    experiment = metalab.Experiment(
        name="cold",
        version="1",
        context={},
        operation=score,
        params=metalab.grid(alpha=[0.1, 0.2, 0.3, 0.4]),
        seeds=metalab.seeds(base=42),
    )
    results = metalab.run(
        experiment, store=sys.argv[1], executor=metalab.ProcessExecutor(2)
    ).result()
    print([run.metrics["score"] for run in results])
