"""An executor whose launches never end, as a job does that nobody takes off a list."""

from __future__ import annotations

from lone import LoneContract

from detached_executor import LoneExecutor


class WrongExecutor(LoneExecutor):
    def is_under_way(self, dispatch):
        return True


class TestWrong(LoneContract):
    kind = WrongExecutor
    patience = 12.0
