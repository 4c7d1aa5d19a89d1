"""Only files with a later time than the last reading's are read on."""

from __future__ import annotations

import attrs

from metalab.store import FileStore, FileStoreConfig


class Wrong(FileStore):
    newest = 0

    def read(self, since=None):
        runs = self.get_working_directory() / "runs"
        newest = max((path.stat().st_mtime_ns for path in runs.glob("*.jsonl")), default=0)
        if since is not None and newest <= self.newest:
            return since
        self.newest = newest
        return super().read(since)

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
