"""What wrong stores of files share: core's store, of which another class is made."""

from __future__ import annotations

from typing import ClassVar

import attrs

from metalab.store import FileStore, FileStoreConfig


class Files(FileStore):
    def scoped(self, experiment_id):
        return type(self)(self.config.scoped(experiment_id))


@attrs.frozen
class FilesConfig(FileStoreConfig):
    made: ClassVar[type[Files]]

    def connect(self):
        store = self.made(self)
        store.make()
        return store

    def open(self):
        store = self.made(self)
        store.check()
        return store
