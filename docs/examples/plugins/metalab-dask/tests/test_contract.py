"""The executor keeps the contract: every test is inherited from metalab's kit."""

from __future__ import annotations

from collections import Counter

import pytest

import metalab
from metalab.errors import WorkerDiedError
from metalab.testing import ExecutorContract, PluginContract
from metalab_dask import DaskExecutor


class TestDaskExecutor(ExecutorContract):
    can_kill = False  # dask has no means to end a run
    is_detached = False  # what is submitted ends with its client
    cancel_reaches_runs = False
    owns_its_workers = False  # the cluster is its owner's

    @pytest.fixture
    def options(self, cluster):
        return {"address": cluster.scheduler_address}

    @pytest.fixture
    def executor(self, options):
        with DaskExecutor(**options) as made:
            yield made

    def test_a_run_that_ends_its_process_is_tried_as_often_as_agreed(self, stage):
        """Once more than for an executor that sees its workers die.

        A worker may have several threads, and dask does not say whose run has ended it: the
        first time nobody is blamed, and each that was there is tried again, alone.
        """
        results = stage.results(
            stage.acting(4, {1: "kill"}), retry=metalab.Retry(2, on=(WorkerDiedError,))
        )
        assert [run.status.value for run in results] == ["success", "failed", "success", "success"]
        assert stage.began()[1] == 3
        assert stage.ended() == Counter([0, 2, 3])


class TestPlugin(PluginContract):
    distribution = "metalab-dask"
    libraries = ("dask", "distributed", "tornado")
