"""The Slurm executor does what is asked of every executor, on a real cluster."""

from __future__ import annotations

import pytest

from metalab.testing.executor import ExecutorContract
from metalab_slurm import SlurmExecutor
from slurm.slurm_tools import QUICK

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def busy_cluster(shared_cluster):
    """The session's cluster: what a test leaves in its queue is there for the next one, too."""
    yield shared_cluster
    shared_cluster.clear()


class TestSlurmExecutor(ExecutorContract):
    @pytest.fixture
    def options(self):
        return {**QUICK, "pilots": 1, "workers_per_pilot": 2}

    @pytest.fixture
    def executor(self, busy_cluster, options, monkeypatch):
        monkeypatch.setenv("SLURM_CONF", str(busy_cluster.conf))
        with SlurmExecutor(**options) as made:
            yield made
