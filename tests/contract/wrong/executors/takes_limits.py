"""An executor that takes limits which it has no means to enforce."""

from __future__ import annotations

from right import RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    def check(self, limits):
        pass


class TestWrong(RightContract):
    kind = WrongExecutor
