"""Records are listed in whatever order they lie."""

from __future__ import annotations

from contract.memory_store import MemoryStore, MemoryStoreConfig


class Wrong(MemoryStore):
    def list_run_records(self, experiment_id=None):
        records = super().list_run_records(experiment_id)
        return sorted(records, key=lambda record: record.run_id)


class Config(MemoryStoreConfig):
    made = Wrong
