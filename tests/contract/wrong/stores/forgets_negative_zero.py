"""The sign of zero is lost, as where numbers are kept as decimals."""

from __future__ import annotations

import attrs

from contract.memory_store import MemoryStore, MemoryStoreConfig, MemoryWriter


class Writer(MemoryWriter):
    def put(self, record, acknowledged=None):
        metrics = {
            name: 0.0 if isinstance(value, float) and value == 0 else value
            for name, value in record.metrics.items()
        }
        super().put(attrs.evolve(record, metrics=metrics), acknowledged)


class Wrong(MemoryStore):
    writer_type = Writer


class Config(MemoryStoreConfig):
    made = Wrong
