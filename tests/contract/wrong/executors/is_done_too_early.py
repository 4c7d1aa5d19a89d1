"""An executor that calls a launch over once all of its runs were handed out."""

from __future__ import annotations

from right import RightContract, RightExecutor

from metalab.execution.local import LocalSubmission


class WrongSubmission(LocalSubmission):
    def wait(self, timeout=None):
        return True


class WrongExecutor(RightExecutor):
    submission = WrongSubmission


class TestWrong(RightContract):
    kind = WrongExecutor
