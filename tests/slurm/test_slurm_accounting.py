"""Limits of an account, accounting that goes away, and jobs that Slurm has forgotten."""

from __future__ import annotations

import logging
import signal

import pytest

import metalab
from slurm.slurm_cluster import ACCOUNTING, advice
from slurm.slurm_operations import held, short
from slurm.slurm_tools import (
    AWAY,
    are_begun,
    experiment,
    kill,
    losses,
    output,
    pilots_of,
    run,
    script,
    successes,
    wait_for,
)

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def test_fewer_pilots_than_were_asked_for_execute_everything_and_that_is_told(
    accounting_cluster, store, caplog
):
    accounting_cluster.manage("add", "qos", "narrow", "MaxSubmitJobsPerUser=5")
    accounting_cluster.manage("modify", "user", "set", "qos+=narrow")
    with caplog.at_level(logging.WARNING):
        exp = experiment(short, x=range(60), seconds=[0.1])
        handle = run(exp, store, pilots=20, qos="narrow")
    assert "Slurm accepts 5 of 20 jobs" in caplog.text
    assert "QOSMaxSubmitJobPerUserLimit" in caplog.text
    assert any("5 of 20" in line for line in handle.describe()["words"])
    assert len(handle.result(timeout=60).successful) == 60, output(store)
    assert len(pilots_of(store)) <= 5


def test_without_accounting_for_a_while_nothing_is_noticed(accounting_cluster, store, tmp_path):
    exp = experiment(held, x=range(4), folder=[str(tmp_path)])
    handle = run(exp, store, pilots=2)
    wait_for(lambda: handle.status.running == 2)
    accounting_cluster._end("slurmdbd", signal.SIGKILL)
    try:
        for job in pilots_of(store):
            kill(store, job)
        (tmp_path / "go").touch()
        assert len(handle.result(timeout=90).successful) == 4, output(store)
    finally:
        accounting_cluster._spawn("slurmdbd", "slurmdbd", "-D")
        wait_for(lambda: accounting_cluster._listens("slurmdbd", "accounting_port"))
    # The controller keeps a job for two seconds: whoever asks later is told that it is gone.
    assert len(losses(store)) == 2
    assert set(losses(store)) <= {"killed", "gone"}
    assert set(successes(store).values()) == {1}


@pytest.mark.parametrize("accounting", [True, False])
def test_what_slurm_has_forgotten_is_told_from_what_is_left(
    make_cluster, store, tmp_path, accounting
):
    if accounting and (why := advice(ACCOUNTING)):
        pytest.skip(why)
    cluster = make_cluster(min_job_age=5, accounting=accounting)
    script(tmp_path / "away.py", AWAY, store, tmp_path)
    wait_for(lambda: are_begun(store, 3))
    for job in pilots_of(store):
        kill(store, job)
    (tmp_path / "go").touch()
    wait_for(lambda: not cluster.command("squeue", "-h", "-r", "-t", "all"), 180)
    results = metalab.reconnect(store).result(timeout=120)
    assert len(results.successful) == 12, output(store)
    assert losses(store) == ["killed" if accounting else "gone"] * 3
    assert set(successes(store).values()) == {1}
