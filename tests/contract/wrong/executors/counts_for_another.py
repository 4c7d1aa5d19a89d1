"""An executor that tells the first launch what becomes of the runs of all."""

from __future__ import annotations

import attrs
from right import RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    ledger = None

    def submit(self, batch):
        self.ledger = self.ledger or batch.ledger
        return super().submit(attrs.evolve(batch, ledger=self.ledger))


class TestWrong(RightContract):
    kind = WrongExecutor
