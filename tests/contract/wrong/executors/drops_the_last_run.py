"""An executor that loses the last run, as an interval does that is thought to be closed."""

from __future__ import annotations

import attrs
from right import RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        return super().submit(attrs.evolve(batch, pending=batch.pending[:-1]))


class TestWrong(RightContract):
    kind = WrongExecutor
