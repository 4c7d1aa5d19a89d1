"""An executor whose launches never end, as a job does that nobody takes off a list."""

from __future__ import annotations

from right import RightContract

from detached_executor import LoneExecutor


class WrongExecutor(LoneExecutor):
    def is_under_way(self, dispatch):
        return True


class TestWrong(RightContract):
    kind = WrongExecutor
    can_kill = is_detached = has_own_processes = True
    patience = 12.0
