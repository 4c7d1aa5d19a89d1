"""What was put is acknowledged while the machine may still lose it."""

from __future__ import annotations

import attrs

from contract.wrong.stores.files import Files, FilesConfig
from metalab.store import FileStore


class Wrong(Files):
    def writer(self, launch, task="0", *, executor="", owner=""):
        careless = FileStore(attrs.evolve(self.config, durability="os"))
        return careless.writer(launch, task, executor=executor, owner=owner)


class Config(FilesConfig):
    made = Wrong
