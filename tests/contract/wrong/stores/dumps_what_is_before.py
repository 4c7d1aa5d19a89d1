"""Of what is dumped, the bytes before the place where the file stands are kept."""

from __future__ import annotations

import tempfile

import attrs

from contract.memory_store import MemoryStore, MemoryStoreConfig, MemoryWriter


class Writer(MemoryWriter):
    def dump_artifact(self, run, name, dump, *, extension):
        with tempfile.TemporaryFile() as file:
            dump(file)
            size = file.tell()
            file.seek(0)
            return self.put_artifact(run, name, file.read(size), extension=extension)


class Wrong(MemoryStore):
    writer_type = Writer


@attrs.frozen
class Config(MemoryStoreConfig):
    def store(self):
        return Wrong(self)
