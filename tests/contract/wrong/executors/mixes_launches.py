"""An executor that makes what it executes once, and takes it for what comes next as well."""

from __future__ import annotations

import attrs
from right import RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    plan = None

    def submit(self, batch):
        self.plan = self.plan or batch.plan
        pending = range(min(len(batch.pending), len(self.plan)))
        return super().submit(attrs.evolve(batch, plan=self.plan, pending=pending))


class TestWrong(RightContract):
    kind = WrongExecutor
