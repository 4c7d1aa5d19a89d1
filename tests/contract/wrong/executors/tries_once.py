"""An executor that has a policy of its own about runs that fail."""

from __future__ import annotations

import attrs
from right import RightContract, RightExecutor

from metalab.execution.policy import Retry


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        return super().submit(attrs.evolve(batch, retry=Retry(1)))


class TestWrong(RightContract):
    kind = WrongExecutor
