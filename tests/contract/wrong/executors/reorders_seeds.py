"""An executor that deals out seeds in the order in which runs happen to be taken."""

from __future__ import annotations

from itertools import count

import attrs
from right import RightContract, RightExecutor


class Reordered:
    """A plan whose run has the seeds of another one."""

    def __init__(self, plan):
        self._plan = plan
        self._taken = count(1)

    def __getattr__(self, name):
        return getattr(self._plan, name)

    def __len__(self):
        return len(self._plan)

    def __getitem__(self, index):
        other = self._plan[next(self._taken) % len(self._plan)]
        return attrs.evolve(self._plan[index], seeds=other.seeds)


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        return super().submit(attrs.evolve(batch, plan=Reordered(batch.plan)))


class TestWrong(RightContract):
    kind = WrongExecutor
