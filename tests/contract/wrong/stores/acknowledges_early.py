"""What was put is acknowledged at once, and written when the writer ends."""

from __future__ import annotations

import attrs

from metalab.store import FileStore, FileStoreConfig
from metalab.store.file.writer import FileWriter


class Writer(FileWriter):
    def put(self, record, acknowledged=None):
        self.__dict__.setdefault("waiting", []).append(record)
        if acknowledged is not None:
            acknowledged()

    def flush(self):
        for record in self.__dict__.pop("waiting", []):
            super().put(record)
        super().flush()

    def close(self):
        self.flush()
        super().close()


class Wrong(FileStore):
    def writer(self, launch, task="0", *, executor="", owner=""):
        return Writer(self._folder, launch, task, self.config.options, executor, owner)

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
