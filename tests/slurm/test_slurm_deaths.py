"""Pilots that die, are requeued, preempted, cancelled or lose their node: nothing is lost."""

from __future__ import annotations

import pytest

import metalab
from slurm.slurm_operations import heeding, held, poison, saving, short
from slurm.slurm_tools import (
    experiment,
    kill,
    lines_of,
    losses,
    output,
    pilots_of,
    run,
    successes,
    until_there,
    wait_for,
)

pytestmark = pytest.mark.slurm


def test_a_killed_pilots_run_is_executed_again_by_another(cluster, store, tmp_path):
    exp = experiment(held, x=[1, 2], folder=[str(tmp_path)])
    handle = run(exp, store, pilots=2)
    wait_for(lambda: handle.status.running == 2)
    kill(store, next(iter(pilots_of(store))))
    (tmp_path / "go").touch()
    results = handle.result(timeout=60)
    assert [r.status.value for r in results] == ["success"] * 2, output(store)
    assert losses(store) == ["killed"]
    assert set(successes(store).values()) == {1}
    assert sorted(r.record.attempt for r in results) == [1, 2]


def test_a_run_that_kills_its_pilots_is_found_and_the_others_finish(cluster, store):
    exp = experiment(poison, x=range(20), bad=[7])
    results = run(exp, store, pilots=2).result(timeout=100)
    (bad,) = results.failed
    assert len(results.successful) == 19
    assert bad.params["x"] == 7
    assert bad.record.error["type"] == "WorkerDiedError"
    assert losses(store).count("killed") == 3


def test_all_pilots_killed_at_once_are_replaced(cluster, store, tmp_path):
    exp = experiment(held, x=range(4), folder=[str(tmp_path)])
    handle = run(exp, store, pilots=2)
    wait_for(lambda: handle.status.running == 2)
    for job in pilots_of(store):
        kill(store, job)
    (tmp_path / "go").touch()
    assert len(handle.result(timeout=60).successful) == 4
    assert len(handle.job_ids) == 2


def test_a_pilot_that_is_requeued_leaves_its_run_uncounted(cluster, store, tmp_path):
    exp = experiment(saving, to=[40], folder=[str(tmp_path)])
    handle = run(exp, store, pilots=1)
    wait_for((tmp_path / "begun").exists)
    (job,) = pilots_of(store)
    cluster.command("scontrol", "requeue", job)
    cluster.skip_requeue_wait(job)
    (result,) = handle.result(timeout=60)
    assert result.metrics["reached"] == 40
    assert losses(store) == ["paused"]
    assert handle.job_ids == [job]


def test_a_run_saves_itself_at_the_warning_and_goes_on_from_there(cluster, store, tmp_path):
    exp = experiment(saving, to=[60], folder=[str(tmp_path)])
    handle = run(exp, store, pilots=1)
    wait_for((tmp_path / "begun").exists)
    (job,) = pilots_of(store)
    cluster.command("scancel", "--batch", "--signal=USR2", job)
    wait_for(lambda: losses(store))
    cluster.skip_requeue_wait(job)
    (result,) = handle.result(timeout=60)
    assert result.metrics["reached"] == 60
    statuses = [line["status"] for line in lines_of(store) if line["t"] == "run"]
    assert statuses.count("cancelled") == 1


def test_a_node_that_fails_costs_its_runs_an_attempt(cluster, store, tmp_path):
    exp = experiment(held, x=range(3), folder=[str(tmp_path)])
    handle = run(exp, store, pilots=3, cpus=16)
    wait_for(lambda: handle.status.running == 3)
    try:
        cluster.set_node("n1", "DOWN")
        (tmp_path / "go").touch()
        assert len(handle.result(timeout=60).successful) == 3, output(store)
    finally:
        cluster.resume_node("n1")


def test_a_cancelled_pilots_work_is_taken_over(cluster, store, tmp_path):
    exp = experiment(held, x=range(4), folder=[str(tmp_path)])
    handle = run(exp, store, pilots=2)
    wait_for(lambda: handle.status.running == 2)
    # The other's number is that of the array, and means both.
    cluster.command("scancel", max(pilots_of(store), key=int))
    (tmp_path / "go").touch()
    assert len(handle.result(timeout=60).successful) == 4
    assert len(handle.job_ids) == 1


def test_a_preempted_pilot_comes_back(cluster, store, tmp_path):
    exp = experiment(saving, to=[80], folder=[str(tmp_path)])
    # There is room for both on no node that either may have.
    whole = {"cpus": 16, "extra_sbatch": {"nodelist": "n2"}}
    handle = run(exp, store, pilots=1, partition="scavenge", **whole)
    wait_for((tmp_path / "begun").exists)
    (job,) = pilots_of(store)
    urgent = run(
        experiment(short, "urgent", x=range(3)), store, pilots=1, partition="urgent", **whole
    )
    assert len(urgent.result(timeout=60).successful) == 3
    cluster.skip_requeue_wait(job)
    (result,) = handle.result(timeout=60)
    assert result.metrics["reached"] == 80
    assert handle.job_ids == [job]


@pytest.mark.slow
def test_while_the_controller_is_away_runs_go_on_and_nothing_counts_as_over(cluster, store):
    exp = experiment(short, x=range(30), seconds=[0.3])
    handle = run(exp, store, pilots=2)
    wait_for(lambda: handle.status.completed > 2)
    cluster.stop_controller()
    try:
        results = handle.result(timeout=60)
    finally:
        cluster.start_controller()
    assert len(results.successful) == 30


def test_a_cancelled_launch_is_over_and_the_next_goes_on(cluster, store, tmp_path):
    exp = experiment(heeding, x=range(6), free=[0], folder=[str(tmp_path)])
    handle = run(exp, store, pilots=2)
    wait_for(lambda: handle.status.running == 2)
    handle.cancel()
    assert handle.wait(60)
    assert handle.status.cancelled == 6
    assert not losses(store)
    (tmp_path / "go").touch()
    assert len(run(exp, store).result(timeout=60).successful) == 6


@pytest.mark.slow
def test_what_cannot_be_imported_ends_the_launch_in_words(cluster, store, tmp_path, monkeypatch):
    (tmp_path / "fleeting.py").write_text(
        "import metalab\n@metalab.operation\ndef op(params):\n    return {'y': 1}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import fleeting

    gate = tmp_path / "gate"
    handle = run(experiment(fleeting.op, "gone", x=[1]), store, pilots=1, **until_there(gate))
    (tmp_path / "fleeting.py").rename(tmp_path / "elsewhere.py")
    gate.touch()
    with pytest.raises(metalab.MetalabError, match="No module named 'fleeting'"):
        handle.result(timeout=120)
