"""Four runs on two worker processes of the standard library, printed: what a script pays at least.

It imports only what it needs; its workers import it anew.
"""

import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def score(alpha: float) -> float:
    """Return the metric of one run."""
    return alpha * random.Random(42).random()


if __name__ == "__main__":
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        print(list(pool.map(score, [0.1, 0.2, 0.3, 0.4])))
