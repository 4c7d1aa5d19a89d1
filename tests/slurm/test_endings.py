"""Every way in which a job ends on a real cluster is told from every other."""

from __future__ import annotations

import time

import pytest

from slurm.pilots import SLEEP, Pilots
from slurm.slurm_cluster import wait_for

pytestmark = pytest.mark.slurm


def fate(pilots, job, since):
    return pilots.cluster.fate(job.job_id, 0, since, pilots.log())


def test_a_process_that_is_killed(cluster, tmp_path):
    since = time.time()
    pilots = Pilots(tmp_path, "import os; os.kill(os.getpid(), 9)")
    told = fate(pilots, pilots.wait("FAILED"), since)
    assert told.cause == "killed"
    assert told.words == f"FAILED (exit 0:9), job {pilots.array_id}_0"


def test_an_exit_code(cluster, tmp_path):
    pilots = Pilots(tmp_path, "raise SystemExit(7)")
    told = fate(pilots, pilots.wait("FAILED"), time.time())
    assert (told.cause, told.words) == ("killed", f"FAILED (exit 7:0), job {pilots.array_id}_0")


def test_memory(cluster, tmp_path):
    since = time.time()
    pilots = Pilots(tmp_path, "x = b'x' * 300_000_000; " + SLEEP)
    told = fate(pilots, pilots.wait("FAILED", "OUT_OF_MEMORY"), since)
    assert told.cause == "memory"
    assert "memory limit" in told.words


def test_a_user_who_cancels(cluster, tmp_path):
    since = time.time()
    pilots = Pilots(tmp_path)
    job = pilots.wait("RUNNING")
    cluster.command("scancel", job.job_id)
    told = fate(pilots, pilots.wait("CANCELLED"), since)
    assert told.cause == "cancelled"


def test_a_node_that_goes_down(cluster, tmp_path):
    since = time.time()
    pilots = Pilots(tmp_path, extra_sbatch={"nodelist": "n3"})
    job = pilots.wait("RUNNING")
    cluster.set_node("n3", "DOWN")
    try:
        wait_for(lambda: pilots.job().restarts == 1)
        told = fate(pilots, job, since)
        assert told.cause == "node_fail"
        assert f"job {pilots.array_id}_0 was put back into the queue" in told.words
        assert pilots.cluster.alive(job.job_id, 0) is False
    finally:
        cluster.resume_node("n3")


def test_a_job_that_is_preempted_and_requeued(cluster, tmp_path):
    since = time.time()
    pilots = Pilots(
        tmp_path / "a",
        f"print('begun', flush=True); {SLEEP}",
        partition="scavenge",
        extra_sbatch={"w": "n2", "exclusive": True},
    )
    job = pilots.wait("RUNNING")
    # Before its script begins, a job that "runs" hears of the requeue alone.
    pilots.wait_for_log("begun")
    urgent = Pilots(
        tmp_path / "b", name="u", partition="urgent", extra_sbatch={"w": "n2", "exclusive": True}
    )
    urgent.wait("RUNNING")
    wait_for(lambda: pilots.job().restarts == 1)
    pilots.wait_for_log("CANCELLED AT")
    told = fate(pilots, job, since)
    assert told.cause == "preempted"
    assert "DUE TO PREEMPTION" in told.words


def test_a_job_that_is_preempted_for_good(cluster, tmp_path):
    since = time.time()
    pilots = Pilots(
        tmp_path / "a", partition="killable", extra_sbatch={"w": "n2", "exclusive": True}
    )
    job = pilots.wait("RUNNING")
    Pilots(
        tmp_path / "b", name="u", partition="urgent", extra_sbatch={"w": "n2", "exclusive": True}
    )
    wait_for(lambda: not pilots.job().is_alive)
    told = fate(pilots, job, since)
    assert told.cause == "preempted"
    assert told.words.startswith("PREEMPTED (exit 0:")


@pytest.mark.slow
def test_time_that_is_up(cluster, tmp_path):
    since = time.time()
    pilots = Pilots(tmp_path, time=1)
    wait_for(lambda: pilots.job().state == "TIMEOUT", 180)
    told = fate(pilots, pilots.job(), since)
    assert told.cause == "timeout"
    assert "TIME LIMIT" in told.words


@pytest.mark.slow
def test_accounting_knows_what_the_controller_has_forgotten(accounting_cluster, tmp_path):
    since = time.time()
    pilots = Pilots(tmp_path, "import os; os.kill(os.getpid(), 9)", array=2)
    job = pilots.wait("FAILED", task=1)
    assert pilots.cluster.site().has_accounting
    wait_for(lambda: not pilots.jobs(), 120)
    told = wait_for(
        lambda: (each := pilots.cluster.fate(job.job_id, 0, since)).cause != "unknown" and each
    )
    assert told.cause == "killed"
    assert told.words == f"FAILED (exit 0:9), job {job.label}"
