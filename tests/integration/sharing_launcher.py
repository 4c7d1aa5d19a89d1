"""One of several launchers: ``python sharing_launcher.py STORE RUNS SECONDS [HELD]``.

Each execution is one line of the file ``executed`` beside the store. Runs from ``HELD`` on end
once there is a file ``go`` beside it, too.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import metalab

if __name__ == "__main__":
    store, runs, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    held = int(sys.argv[4]) if len(sys.argv) > 4 else runs
    journal = os.open(store.parent / "executed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    @metalab.operation
    def shared(params, capture):
        os.write(journal, b"%d %d\n" % (os.getpid(), params["x"]))
        time.sleep(seconds)
        while params["x"] >= held and not store.with_name("go").exists():
            time.sleep(0.01)
        capture.metric("y", 2 * params["x"])

    experiment = metalab.Experiment(
        name="shared",
        version="1",
        context={},
        operation=shared,
        params=metalab.grid(x=list(range(runs))),
        seeds=metalab.seeds(base=1),
    )
    handle = metalab.run(experiment, store, metalab.ThreadExecutor(2), progress=False)
    results = handle.result()
    sys.stdout.write(f"{len(results)} {handle.status.completed} {handle.status.skipped}\n")
