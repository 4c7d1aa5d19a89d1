"""An executor to whose launches whoever comes back to them is told that they are over."""

from __future__ import annotations

import pytest
from right import RightContract

import detached_executor
from detached_executor import LoneExecutor, LoneSubmission


class OverSubmission(LoneSubmission):
    def wait(self, timeout=None):
        return True


class WrongExecutor(LoneExecutor):
    has_submitted = False

    def reattach(self, dispatch, batch):
        if self.has_submitted:
            return OverSubmission(self, dispatch, batch)
        self.has_submitted = True
        return super().reattach(dispatch, batch)


class TestWrong(RightContract):
    can_kill = is_detached = has_own_processes = True

    @pytest.fixture
    def executor(self):
        with WrongExecutor() as made:
            yield made
        detached_executor.end_processes()
