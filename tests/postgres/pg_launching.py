"""Small launches for tests of what becomes of their runs in an index."""

from __future__ import annotations

import metalab


def launch(operation, store, runs, replicates=1):
    """Execute an operation of x for so many values, as experiment e:1, and return the results."""
    exp = metalab.Experiment(
        name="e",
        version="1",
        context=None,
        operation=operation,
        params=metalab.grid(x=range(runs)),
        seeds=metalab.seeds(base=1, replicates=replicates),
    )
    return metalab.run(exp, store, executor="inline", progress=False).result()
