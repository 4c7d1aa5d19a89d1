"""All at once: pilots killed, requeued, cancelled, a node down, and nothing lost or doubled."""

from __future__ import annotations

import pytest

from slurm.slurm_operations import heeding
from slurm.slurm_tools import experiment, kill, output, pilots_of, run, successes, wait_for

pytestmark = pytest.mark.slurm

RUNS = 2000


def test_two_thousand_runs_survive_whatever_happens_to_their_pilots(cluster, store, tmp_path):
    # Half of them wait, or all could be over before the last pilot has begun.
    exp = experiment(heeding, x=range(RUNS), free=[RUNS // 2], folder=[str(tmp_path)])
    handle = run(exp, store, pilots=8, cpus=5)
    wait_for(lambda: len(pilots_of(store)) == 8 and handle.status.completed > 50)
    jobs = sorted(pilots_of(store), key=int)
    kill(store, jobs[0])
    kill(store, jobs[1])
    cluster.command("scontrol", "requeue", jobs[2])
    cluster.skip_requeue_wait(jobs[2])
    cluster.command("scancel", jobs[3])
    try:
        cluster.set_node("n2", "DOWN")
        (tmp_path / "go").touch()
        results = handle.result(timeout=120)
    finally:
        cluster.resume_node("n2")
    assert len(results.successful) == RUNS, output(store)
    done = successes(store)
    assert len(done) == RUNS
    # One that a pilot had ended, and whose line nobody had seen, may be executed again.
    assert sum(done.values()) <= RUNS + 8
    assert handle.status.completed == RUNS
