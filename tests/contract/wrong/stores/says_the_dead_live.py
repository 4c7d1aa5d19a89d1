"""A writer that was killed counts as one at work for good."""

from __future__ import annotations

import attrs

from metalab.store import FileStore, FileStoreConfig


class Wrong(FileStore):
    def ending(self, writer):
        ending = super().ending(writer)
        return ending if ending is not None and ending.closed else None

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
