"""An executor that has nothing to say to those that are at work."""

from __future__ import annotations

from right import SOON, RightContract, RightExecutor

from metalab.execution.local import LocalSubmission


class WrongSubmission(LocalSubmission):
    def cancel(self):
        pass


class WrongExecutor(RightExecutor):
    submission = WrongSubmission


class TestWrong(RightContract):
    kind = WrongExecutor
    patience = SOON
