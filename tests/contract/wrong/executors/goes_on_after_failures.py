"""An executor that does not know when enough runs have failed."""

from __future__ import annotations

import attrs
from right import RightContract, RightExecutor

from metalab.execution.policy import FailurePolicy


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        return super().submit(attrs.evolve(batch, failures=FailurePolicy()))


class TestWrong(RightContract):
    kind = WrongExecutor
