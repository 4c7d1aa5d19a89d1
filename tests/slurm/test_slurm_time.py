"""Jobs whose time is up: runs that are cut count, saved ones go on, late ones are not blamed."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from metalab_slurm import SlurmRetry
from slurm.slurm_operations import enduring, held, late, short
from slurm.slurm_tools import experiment, lines_of, losses, output, pilots_of, run, successes

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def hasty_cluster(cluster):
    """A cluster on which jobs that were put back into the queue start at once."""
    done = threading.Event()

    def hurry():
        while not done.wait(1.0):
            rows = cluster.command("squeue", "-h", "-r", "-t", "PD", "-o", "%i %r", check=False)
            for row in rows.splitlines():
                job, _, reason = row.partition(" ")
                if reason == "BeginTime":
                    cluster.skip_requeue_wait(job)

    thread = threading.Thread(target=hurry)
    thread.start()
    yield cluster
    done.set()
    thread.join()


def test_a_run_that_never_ends_is_cut_counted_and_given_up(cluster, store, tmp_path):
    exp = experiment(held, x=[1], folder=[str(tmp_path)])
    handle = run(exp, store, pilots=1, time="1", attempts=2, max_requeues=0)
    (failed,) = handle.result(timeout=300)
    error = failed.record.error
    assert error["type"] == "RunTimeoutError", output(store)
    assert losses(store) == ["timeout"] * 2
    assert "the time of its job was up" in error["message"]
    assert f"slurm:{handle.job_ids[1]}_0" in error["message"]
    assert len(handle.job_ids) == 3


def test_with_more_time_it_ends(cluster, store):
    exp = experiment(short, x=[1, 2], seconds=[70])
    retry = SlurmRetry(on_timeout=2)
    handle = run(exp, store, pilots=2, time="1", retry=retry, attempts=1, max_requeues=0)
    results = handle.result(timeout=300)
    assert len(results.successful) == 2, output(store)
    assert losses(store) == ["timeout"] * 2
    assert set(successes(store).values()) == {1}


def test_a_run_that_saves_itself_goes_on_in_the_same_job(hasty_cluster, store, tmp_path):
    exp = experiment(enduring, to=[110], folder=[str(tmp_path)])
    handle = run(exp, store, pilots=1, time="1", attempts=1)
    (result,) = handle.result(timeout=400)
    assert result.metrics["reached"] == 110, output(store)
    assert set(losses(store)) == {"paused"}
    assert len(losses(store)) >= 2
    assert handle.job_ids == list(pilots_of(store))
    lives = json.loads(f"[{Path(tmp_path, 'remaining').read_text().rstrip(',')}]")
    assert len(lives) == result.record.attempt >= 3
    for remaining in lives[:-1]:
        assert remaining == sorted(remaining, reverse=True)
        assert 40 < remaining[0] <= 60
        assert 5 < remaining[-1] < remaining[0]  # Slurm's warning may be early


def test_saving_itself_counts_as_progress_where_jobs_are_replaced(cluster, store, tmp_path):
    exp = experiment(enduring, to=[110], folder=[str(tmp_path)])
    handle = run(exp, store, pilots=1, time="1", attempts=1, max_requeues=0)
    (result,) = handle.result(timeout=400)
    assert result.metrics["reached"] == 110, output(store)
    assert set(losses(store)) == {"paused"}
    assert len(handle.job_ids) >= 3


def test_a_run_that_began_late_is_not_blamed(cluster, store):
    exp = experiment(late, x=range(40), last=[39])
    handle = run(exp, store, pilots=1, time="1", attempts=1, max_requeues=0)
    results = handle.result(timeout=300)
    assert len(results.successful) == 40, output(store)
    assert losses(store) == ["gone"]
    begun = [line["id"] for line in lines_of(store) if line["t"] == "start"]
    assert begun.count(list(results)[-1].run_id) == 2
