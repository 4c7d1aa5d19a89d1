"""Of what is dumped, the bytes before the place where the file stands are kept."""

from __future__ import annotations

import tempfile

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


class Config(MemoryStoreConfig):
    made = Wrong
