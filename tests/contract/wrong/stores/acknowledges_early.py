"""What was put is acknowledged at once, and written when the writer ends."""

from __future__ import annotations

from contract.wrong.stores.files import Files, FilesConfig
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


class Wrong(Files):
    def writer(self, launch, task="0", *, executor="", owner=""):
        return Writer(self._folder, launch, task, self.config.options, executor, owner)


class Config(FilesConfig):
    made = Wrong
