"""At which density does water get through? Site percolation on a square lattice.

Each site of a lattice is open with probability p. Below a critical density the open sites do not
connect top to bottom, above it they do; on an infinite lattice the threshold is 0.592746.
Densities are drawn at random, each is tried on many lattices, and the threshold is estimated
from all of them.
"""

import math
import statistics

import metalab

KNOWN = 0.592746
LOW, HIGH = 0.4, 0.8


def percolates(size, density, rng):
    """Tell whether the open sites of one random lattice connect its top to its bottom."""
    is_open = [[rng.random() < density for _ in range(size)] for _ in range(size)]
    front = [(0, column) for column in range(size) if is_open[0][column]]
    while front:
        row, column = front.pop()
        if not (0 <= row < size and 0 <= column < size and is_open[row][column]):
            continue
        if row == size - 1:
            return True
        is_open[row][column] = False
        front += [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
    return False


@metalab.operation
def spanning(context, params, seeds, runtime):
    """Return the fraction of lattices that let water through."""
    # The params are part of the stream's name: every density gets lattices of its own.
    rng = seeds.rng(f"lattices {params['size']} {params['density']!r}")
    through = 0
    for _ in range(context["lattices"]):
        runtime.check_cancelled()
        through += percolates(params["size"], params["density"], rng)
    return {"through": through / context["lattices"]}


experiment = metalab.Experiment(
    name="percolation",
    version="1",
    context={"lattices": 10},
    operation=spanning,
    params=metalab.random(
        space={
            "density": metalab.uniform(LOW, HIGH),
            "size": metalab.choice([8, 16, 32]),
        },
        n_trials=1200,
        seed=7,
    ),
    seeds=metalab.seeds(base=1),
)


def threshold(runs):
    """Return the mean of the distribution whose cumulative function the runs sampled, +- its error.

    Integrating 1 - P(density) over uniformly drawn densities is one more Monte-Carlo sum.
    """
    blocked = [1 - run.metrics["through"] for run in runs]
    error = statistics.stdev(blocked) / math.sqrt(len(blocked))
    return LOW + (HIGH - LOW) * statistics.fmean(blocked), (HIGH - LOW) * error


if __name__ == "__main__":
    results = metalab.run(experiment).result()
    for size in (8, 16, 32):
        runs = results.filter(size=size)
        value, error = threshold(runs)
        print(f"size {size:2}: threshold {value:.3f} +- {error:.3f} from {len(runs)} runs")
    print(f"infinite: threshold {KNOWN:.3f}")
