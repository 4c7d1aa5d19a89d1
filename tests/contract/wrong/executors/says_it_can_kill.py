"""An executor that takes a limit of time, and leaves it to the runs to heed it."""

from __future__ import annotations

from right import SOON, RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    can_kill = True


class TestWrong(RightContract):
    kind = WrongExecutor
    can_kill = True
    patience = SOON
