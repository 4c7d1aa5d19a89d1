"""The last record of a writer is lost when it closes."""

from __future__ import annotations

from contract.memory_store import MemoryStore, MemoryStoreConfig, MemoryWriter


class Writer(MemoryWriter):
    last = None

    def _add(self, line):
        super()._add(line)
        self.last = line

    def close(self):
        if self.last is not None:
            self._shelf().lines.remove(self.last)
            self.last = None
        super().close()


class Wrong(MemoryStore):
    writer_type = Writer


class Config(MemoryStoreConfig):
    made = Wrong
