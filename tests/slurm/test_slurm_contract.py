"""The Slurm executor does what is asked of every executor, on a real cluster."""

from __future__ import annotations

import pytest

from metalab.testing.executor import ExecutorContract
from metalab_slurm import SlurmExecutor
from slurm.slurm_tools import QUICK

pytestmark = pytest.mark.slurm


class TestSlurmExecutor(ExecutorContract):
    @pytest.fixture
    def options(self):
        return {**QUICK, "pilots": 2}

    @pytest.fixture
    def executor(self, cluster, options):
        with SlurmExecutor(**options) as made:
            yield made
