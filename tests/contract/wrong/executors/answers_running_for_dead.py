"""An executor to which whoever was at work once is at work for ever."""

from __future__ import annotations

from right import RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    def alive(self, owner):
        return True


class TestWrong(RightContract):
    kind = WrongExecutor
