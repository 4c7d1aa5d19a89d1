"""One launch in a pool of another engine: ``python engines.py ENGINE STORE [deadly]``.

Prints what became of it as JSON. Each execution is one line of the file ``executed`` beside
the store. Guarded, as scripts that start processes by ``spawn`` must be.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import metalab

STORE = Path(sys.argv[2])
JOURNAL = STORE.parent / "executed"
KILLER = 5


@metalab.context_spec
class Setting:
    """Defined in the script: the workers do not run it."""

    factor: int = 3


@metalab.operation
def study(params, context, seeds, capture):
    _note(params["x"])
    if params["x"] == 2:
        raise ValueError("two is bad")
    capture.metric("y", params["x"] * context.factor + seeds.rng().random())
    capture.artifact("half", {"of": params["x"]})


@metalab.operation
def deadly(params):
    _note(params["x"])
    if params["x"] == KILLER:
        os._exit(3)
    time.sleep(0.02)


@metalab.operation
def held(params):
    """Be done at once, or from the fifth run on once there is a file ``go`` beside the store."""
    _note(params["x"])
    deadline = time.monotonic() + 120
    while params["x"] >= 4 and not STORE.with_name("go").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody has let this run go on")
        time.sleep(0.01)


def doubled(run):
    """A derived metric that is defined in the script."""
    return 2 * run.metrics["y"]


def _note(x):
    with JOURNAL.open("a") as file:
        file.write(f"{x}\n")


def experiment(operation):
    return metalab.Experiment(
        name="engines",
        version="1",
        context=Setting() if operation is study else None,
        operation=operation,
        params=metalab.grid(x=list(range(30))),
        seeds=metalab.seeds(base=9),
    )


def standard(method):
    """Return a maker of the standard library's pool."""
    return lambda: ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method))


def loky():
    """Return a pool of loky's."""
    from loky import ProcessPoolExecutor as Loky

    return Loky(2)


@contextmanager
def dask():
    """Return a pool of dask's, on this machine alone, that lets a task kill one worker."""
    import dask as library
    from distributed import Client, LocalCluster

    library.config.set({"distributed.scheduler.allowed-failures": 0})
    options = {"n_workers": 2, "threads_per_worker": 2, "processes": True, "silence_logs": 50}
    with (
        LocalCluster(host="127.0.0.1", dashboard_address=None, **options) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()


def mpi():
    """Return a pool of the other processes that ``mpiexec`` has started."""
    from mpi4py.futures import MPIPoolExecutor

    return MPIPoolExecutor(2)


def parsl():
    """Return a pool of parsl's, on this machine alone."""
    from parsl.concurrent import ParslPoolExecutor
    from parsl.config import Config
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    local = {"address": "127.0.0.1", "loopback_address": "127.0.0.1", "encrypted": False}
    provider = LocalProvider(init_blocks=1, max_blocks=1)
    executor = HighThroughputExecutor("here", provider, max_workers_per_node=2, **local)
    folder = str(STORE.parent / "parsl")
    return ParslPoolExecutor(Config([executor], run_dir=folder, strategy="none", usage_tracking=0))


ENGINES = {
    "fork": standard("fork"),
    "spawn": standard("spawn"),
    "forkserver": standard("forkserver"),
    "loky": loky,
    "dask": dask,
    "mpi": mpi,
    "parsl": parsl,
}


def rows(results):
    """Return what is the same wherever runs are executed."""
    return [[each.run_id, each.status, each.params["x"], dict(each.metrics)] for each in results]


def compared(pool):
    """Execute the study in a pool and in this thread, and tell both."""
    kinds = Counter()
    handle = metalab.run(
        experiment(study),
        STORE,
        metalab.FuturesExecutor(pool, workers=2),
        progress=False,
        derived_metrics=[doubled],
        on_event=lambda event: kinds.update([event.kind.value]),
    )
    results = handle.result()
    told = {"pool": rows(results), "kinds": kinds, "flaws": len(handle.store.inspect().flaws)}
    told["derived"] = [each.derived.get("doubled") for each in results]
    inline = metalab.run(experiment(study), STORE.with_name("i"), "inline", progress=False)
    return {**told, "inline": rows(inline.result())}


def launched(pool, operation):
    """Execute what may not end well, and tell how it ended."""
    executor = metalab.FuturesExecutor(pool, workers=2)
    handle = metalab.run(experiment(operation), STORE, executor, progress=False)
    sys.stdout.write("started\n")
    sys.stdout.flush()
    try:
        results = handle.result()
    except metalab.MetalabError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    failed = [[each.params["x"], each.error["message"]] for each in results.failed]
    return {"failed": failed, "successful": len(results.successful)}


if __name__ == "__main__":
    what = sys.argv[3] if len(sys.argv) > 3 else "compare"
    with ENGINES[sys.argv[1]]() as pool:
        told = compared(pool) if what == "compare" else launched(pool, globals()[what])
    sys.stdout.write(json.dumps(told) + "\n")
