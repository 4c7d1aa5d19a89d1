"""The controller goes away: in the middle, at the beginning; and a disk that is full."""

from __future__ import annotations

import time

import pytest

import metalab
from metalab.errors import MetalabError
from metalab.store.file.config import FileStoreConfig
from slurm.slurm_operations import held, quick, wordy
from slurm.slurm_tools import (
    experiment,
    kill,
    losses,
    output,
    pilots_of,
    run,
    successes,
    wait_for,
)

pytestmark = pytest.mark.slurm


@pytest.mark.slow
def test_pilots_that_die_while_the_controller_is_away_are_replaced_after_it(
    cluster, store, tmp_path
):
    exp = experiment(held, x=range(9), folder=[str(tmp_path)])
    handle = run(exp, store, pilots=3)
    wait_for(lambda: handle.status.running == 3)
    cluster.stop_controller()
    try:
        for job in pilots_of(store):
            kill(store, job)
        time.sleep(30)
        assert not handle.is_complete
        assert len(handle.job_ids) == 1
    finally:
        cluster.start_controller()
    (tmp_path / "go").touch()
    assert len(handle.result(timeout=90).successful) == 9, output(store)
    assert set(losses(store)) == {"killed"}
    assert set(successes(store).values()) == {1}
    assert 2 <= len(handle.job_ids) <= 3


@pytest.mark.slow
def test_without_a_controller_nothing_is_half_submitted(cluster, store):
    exp = experiment(quick, x=range(4))
    cluster.stop_controller()
    try:
        with pytest.raises(MetalabError, match=r"(?i)controller|connect"):
            run(exp, store, pilots=2)
    finally:
        cluster.start_controller()
    with pytest.raises(MetalabError, match="nothing of it goes on by itself"):
        metalab.reconnect(store)
    handle = run(exp, store, pilots=2)
    assert len(handle.result(timeout=60).successful) == 4
    assert len(handle.job_ids) == 1


@pytest.mark.slow
def test_what_no_disk_has_room_for_is_told_and_nothing_else_is_lost(cluster, tmp_path):
    # A limit on the size of files is the same to a process as a disk that takes no more.
    store = FileStoreConfig(str(tmp_path / "store"), store_timeout=1)
    exp = experiment(wordy, x=range(4), words=[10, 6_000_000])
    handle = run(exp, store, pilots=1, attempts=1, setup=("ulimit -f 4096",))
    with pytest.raises(MetalabError, match=r"4 runs of e:1 are left.*cannot be written.*free some"):
        handle.result(timeout=90)
    assert handle.status.completed == 4
    again = run(exp, store, pilots=1)
    assert again.status.skipped == 4
    assert len(again.result(timeout=60).successful) == 8
