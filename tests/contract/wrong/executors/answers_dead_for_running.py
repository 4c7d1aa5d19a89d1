"""An executor that takes for dead whom it does not find, and never looks."""

from __future__ import annotations

import attrs
from right import RightContract, RightExecutor


class Naming:
    """A store whose writers say whose they are."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def writer(self, launch, task="0", *, executor="", owner=""):
        return self._store.writer(launch, task, executor=executor, owner="worker-1")


class WrongExecutor(RightExecutor):
    def submit(self, batch):
        return super().submit(attrs.evolve(batch, store=Naming(batch.store)))

    def alive(self, owner):
        return False


class TestWrong(RightContract):
    kind = WrongExecutor
