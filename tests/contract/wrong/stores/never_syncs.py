"""What was put is acknowledged while the machine may still lose it."""

from __future__ import annotations

import attrs

from metalab.store import FileStore, FileStoreConfig


class Wrong(FileStore):
    def writer(self, launch, task="0", *, executor="", owner=""):
        careless = FileStore(attrs.evolve(self.config, durability="os"))
        return careless.writer(launch, task, executor=executor, owner=owner)

    def scoped(self, experiment_id):
        return Wrong(self.config.scoped(experiment_id))


@attrs.frozen
class Config(FileStoreConfig):
    def connect(self):
        store = Wrong(self)
        store.make()
        return store

    def open(self):
        store = Wrong(self)
        store.check()
        return store
