"""An executor that does not know its own launches again, and begins each once more."""

from __future__ import annotations

import pytest
from right import RightContract

import detached_executor
from detached_executor import LoneExecutor


class WrongExecutor(LoneExecutor):
    def is_under_way(self, dispatch):
        return super().is_under_way(dispatch) and None


class TestWrong(RightContract):
    can_kill = is_detached = has_own_processes = True

    @pytest.fixture
    def executor(self):
        with WrongExecutor() as made:
            yield made
        detached_executor.end_processes()
