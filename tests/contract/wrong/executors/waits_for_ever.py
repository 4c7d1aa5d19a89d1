"""An executor that waits for the end of a launch, however short a time was asked for."""

from __future__ import annotations

from right import SOON, RightContract, RightExecutor

from metalab.execution.local import LocalSubmission


class WrongSubmission(LocalSubmission):
    def wait(self, timeout=None):
        return super().wait()


class WrongExecutor(RightExecutor):
    submission = WrongSubmission


class TestWrong(RightContract):
    kind = WrongExecutor
    patience = SOON
