"""An executor that executes each run twice, as a queue does that delivers at least once."""

from __future__ import annotations

from right import RightContract, RightExecutor

from metalab.execution.local import LocalSubmission


class WrongSubmission(LocalSubmission):
    def _execute(self, hand, index):
        super()._execute(hand, index)
        super()._execute(hand, index)


class WrongExecutor(RightExecutor):
    submission = WrongSubmission


class TestWrong(RightContract):
    kind = WrongExecutor
