"""The executor keeps the contract: every test is inherited from metalab's kit."""

from __future__ import annotations

import pytest

from metalab.testing import ExecutorContract, PluginContract
from metalab_dask import DaskExecutor


class TestDaskExecutor(ExecutorContract):
    can_kill = False  # dask has no means to end a run
    is_detached = False  # what is submitted ends with its client
    knows_who_died = False  # nor does it say which of a worker's threads has ended it
    cancel_reaches_runs = False
    owns_its_workers = False  # the cluster is its owner's

    @pytest.fixture
    def options(self, cluster):
        return {"address": cluster.scheduler_address}

    @pytest.fixture
    def executor(self, options):
        with DaskExecutor(**options) as made:
            yield made


class TestPlugin(PluginContract):
    distribution = "metalab-dask"
    libraries = ("dask", "distributed", "tornado")
