"""An executor that computes derived metrics of what it executes, and of nothing done before."""

from __future__ import annotations

import attrs
from right import RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        return super().submit(attrs.evolve(batch, underived=()))


class TestWrong(RightContract):
    kind = WrongExecutor
