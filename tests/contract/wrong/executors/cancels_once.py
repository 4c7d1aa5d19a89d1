"""An executor that refuses to cancel what was cancelled before."""

from __future__ import annotations

from right import RightContract, RightExecutor

from metalab.execution.local import LocalSubmission


class WrongSubmission(LocalSubmission):
    def cancel(self):
        if self._stopped:
            raise RuntimeError("it is cancelled already")
        super().cancel()


class WrongExecutor(RightExecutor):
    submission = WrongSubmission


class TestWrong(RightContract):
    kind = WrongExecutor
