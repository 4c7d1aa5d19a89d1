"""An executor that takes launches after it was shut down."""

from __future__ import annotations

from right import RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    def shutdown(self, *, wait=True):
        super().shutdown(wait=wait)
        self.is_closed = False


class TestWrong(RightContract):
    kind = WrongExecutor
