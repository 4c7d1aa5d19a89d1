"""An executor that does not wait for what it was given when it is shut down."""

from __future__ import annotations

from right import RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    def shutdown(self, *, wait=True):
        self.is_closed = True


class TestWrong(RightContract):
    kind = WrongExecutor
