"""An executor that keeps to itself what becomes of runs."""

from __future__ import annotations

import attrs
from right import RightContract, RightExecutor

from metalab.execution.ledger import Ledger


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        return super().submit(attrs.evolve(batch, ledger=Ledger(len(batch.pending))))


class TestWrong(RightContract):
    kind = WrongExecutor
