"""Nobody watches, two do, or somebody calls it off: from here, from elsewhere, at a bad time."""

from __future__ import annotations

import pytest

import metalab
from process_tools import is_there
from slurm.slurm_operations import heeding, held, quick
from slurm.slurm_tools import (
    AWAY,
    are_begun,
    experiment,
    kill,
    losses,
    opened,
    output,
    pilots_of,
    run,
    script,
    successes,
    wait_for,
)

pytestmark = pytest.mark.slurm


class TestNobodyWatches:
    def test_the_pilots_that_are_left_finish_everything(self, cluster, store, tmp_path):
        script(tmp_path / "away.py", AWAY, store, tmp_path)
        wait_for(lambda: are_begun(store, 3))
        kill(store, min(pilots_of(store), key=int))
        (tmp_path / "go").touch()
        wait_for(lambda: len(successes(store)) == 12)
        assert set(successes(store).values()) == {1}, output(store)
        assert losses(store) == ["killed"]
        assert len(metalab.load_results(store).successful) == 12

    def test_whoever_comes_back_replaces_pilots_that_are_all_gone(self, cluster, store, tmp_path):
        script(tmp_path / "away.py", AWAY, store, tmp_path)
        wait_for(lambda: are_begun(store, 3))
        for job in pilots_of(store):
            kill(store, job)
        (tmp_path / "go").touch()
        handle = metalab.reconnect(store)
        results = handle.result(timeout=60)
        assert [r.metrics["y"] for r in results] == list(range(12)), output(store)
        assert losses(store) == ["killed"] * 3
        assert len(handle.job_ids) == 2


class TestTwoWatch:
    def test_pilots_that_are_gone_are_replaced_and_not_by_each_for_ever(
        self, cluster, store, tmp_path
    ):
        exp = experiment(held, x=range(6), folder=[str(tmp_path)])
        first = run(exp, store, pilots=2)
        second = metalab.reconnect(store)
        wait_for(lambda: first.status.running == 2)
        for job in pilots_of(store):
            kill(store, job)
        (tmp_path / "go").touch()
        for handle in (first, second):
            assert len(handle.result(timeout=60).successful) == 6, output(store)
            assert handle.status.completed == 6
        assert len(first.job_ids) <= 3
        assert set(successes(store).values()) == {1}

    @pytest.mark.slow
    def test_both_give_up_where_no_pilot_can_begin(self, cluster, store):
        first = run(experiment(quick, x=[1]), store, pilots=1, attempts=1, setup=("false",))
        second = metalab.reconnect(store)
        for handle in (first, second):
            with pytest.raises(metalab.MetalabError, match="1 runs of e:1 are left"):
                handle.result(timeout=60)
        assert len(first.job_ids) <= 4


class TestCancelling:
    def test_what_waits_in_the_queue_is_called_off(self, cluster, store, tmp_path):
        full = run(
            experiment(held, "full", x=range(3), folder=[str(tmp_path)]), store, pilots=3, cpus=16
        )
        exp = experiment(quick, x=range(5))
        handle = run(exp, store, pilots=3, cpus=16)
        wait_for(lambda: full.status.running == 3)
        handle.cancel()
        assert handle.wait(60)
        assert handle.status.cancelled == 5
        assert not any(job.is_alive for job in handle._submission.launch.jobs())
        again = run(exp, store, pilots=1)
        assert again.job_id != handle.job_id
        (tmp_path / "go").touch()
        assert len(again.result(timeout=60).successful) == 5
        assert len(full.result(timeout=60).successful) == 3

    def test_another_process_calls_it_off(self, cluster, store, tmp_path):
        exp = experiment(heeding, x=range(4), free=[0], folder=[str(tmp_path)])
        handle = run(exp, store, pilots=2)
        wait_for(lambda: handle.status.running == 2)
        text = """
            import sys, metalab

            handle = metalab.reconnect(sys.argv[1])
            handle.cancel()
            print(handle.wait(60), handle.status.cancelled)
        """
        assert script(tmp_path / "cancel.py", text, store).split() == ["True", "4"]
        assert handle.wait(60)
        assert handle.status.cancelled == 4
        assert len(handle.job_ids) == 1
        (tmp_path / "go").touch()
        assert len(run(exp, store).result(timeout=60).successful) == 4
        assert not losses(store)

    @pytest.mark.slow
    def test_without_the_controller_the_pilots_end_by_themselves(self, cluster, store, tmp_path):
        exp = experiment(heeding, x=range(400), free=[50], folder=[str(tmp_path)])
        handle = run(exp, store, pilots=2)
        wait_for(lambda: handle.status.completed > 2)
        cluster.stop_controller()
        try:
            handle.cancel()
            pids = [line["pid"] for line in opened(store)]
            wait_for(lambda: not any(map(is_there, pids)))
        finally:
            cluster.start_controller()
        assert handle.wait(60)
        status = handle.status
        assert status.cancelled > 300
        assert status.cancelled + status.completed == 400
        assert not losses(store)
        again = run(exp, store, pilots=4)
        assert again.status.skipped == status.completed
        again.cancel()
        assert again.wait(60)
