"""The contract of executors that begin processes, for those that are like it but for one thing."""

from __future__ import annotations

import pytest
from right import RightContract

import detached_executor


class LoneContract(RightContract):
    """The contract, for executors whose launches go on by themselves."""

    can_kill = is_detached = has_own_processes = True
    kind = detached_executor.LoneExecutor

    @pytest.fixture
    def executor(self):
        with self.kind() as made:
            yield made
        detached_executor.end_processes()
