"""An executor that does not know its own launches again, and begins each once more."""

from __future__ import annotations

from lone import LoneContract

from detached_executor import LoneExecutor


class WrongExecutor(LoneExecutor):
    def is_under_way(self, dispatch):
        return super().is_under_way(dispatch) and None


class TestWrong(LoneContract):
    kind = WrongExecutor
