"""A record that cannot be kept is passed over in silence."""

from __future__ import annotations

from contextlib import suppress

from contract.memory_store import MemoryStore, MemoryStoreConfig, MemoryWriter


class Writer(MemoryWriter):
    def put(self, record, acknowledged=None):
        with suppress(ValueError):
            super().put(record, acknowledged)


class Wrong(MemoryStore):
    writer_type = Writer


class Config(MemoryStoreConfig):
    made = Wrong
