"""An executor that hands out the whole plan, and not what is pending of it."""

from __future__ import annotations

import attrs
from right import RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        return super().submit(attrs.evolve(batch, pending=range(len(batch.plan))))


class TestWrong(RightContract):
    kind = WrongExecutor
