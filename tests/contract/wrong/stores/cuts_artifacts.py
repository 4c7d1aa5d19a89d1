"""Of artifacts no more than a block is kept."""

from __future__ import annotations

import io

from contract.memory_store import MemoryStore, MemoryStoreConfig


class Wrong(MemoryStore):
    def open_artifact(self, artifact):
        with super().open_artifact(artifact) as file:
            return io.BytesIO(file.read(1 << 18))


class Config(MemoryStoreConfig):
    made = Wrong
