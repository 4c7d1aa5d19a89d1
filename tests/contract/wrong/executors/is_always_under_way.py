"""An executor whose launches never end, as a job does that nobody takes off a list."""

from __future__ import annotations

import pytest
from right import RightContract

import detached_executor
from detached_executor import LoneExecutor


class WrongExecutor(LoneExecutor):
    def is_under_way(self, dispatch):
        return True


class TestWrong(RightContract):
    can_kill = is_detached = has_own_processes = True
    patience = 12.0

    @pytest.fixture
    def executor(self):
        with WrongExecutor() as made:
            yield made
        detached_executor.end_processes()
