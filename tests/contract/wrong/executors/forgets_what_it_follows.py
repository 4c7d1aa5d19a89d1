"""An executor to whose launches whoever comes back to them is told that they are over."""

from __future__ import annotations

from lone import LoneContract

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


class TestWrong(LoneContract):
    kind = WrongExecutor
