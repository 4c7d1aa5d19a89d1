"""A compaction keeps nothing but the records that count."""

from __future__ import annotations

import attrs

from metalab.store import FileStore, FileStoreConfig


class Wrong(FileStore):
    def compact(self, *, gzip=False, drop_attempts=False, dry_run=False):
        return super().compact(gzip=gzip, drop_attempts=True, dry_run=dry_run)

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
