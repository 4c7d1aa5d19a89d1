"""An executor whose workers compute nothing from the runs that they have executed."""

from __future__ import annotations

import attrs
from right import RightContract, RightExecutor


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        return super().submit(attrs.evolve(batch, derived_metrics=()))


class TestWrong(RightContract):
    kind = WrongExecutor
