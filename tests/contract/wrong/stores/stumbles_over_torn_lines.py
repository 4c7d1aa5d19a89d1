"""A line that is not whole ends the reading of all."""

from __future__ import annotations

import attrs

from metalab.errors import StoreError
from metalab.store import FileStore, FileStoreConfig
from metalab.store.lines import parse_line


class Wrong(FileStore):
    def read(self, since=None):
        for path in (self.get_working_directory() / "runs").glob("*.jsonl"):
            for line in path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n") or parse_line(line) is None:
                    raise StoreError(f"{path}: a line is not whole")
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
