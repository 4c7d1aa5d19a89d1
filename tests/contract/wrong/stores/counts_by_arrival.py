"""Of several records of a run, the one that arrived last counts."""

from __future__ import annotations

from contract.memory_store import MemoryRunLog, MemoryStore, MemoryStoreConfig
from metalab.store.lines import parse_line


class Log(MemoryRunLog):
    def __init__(self, lines):
        super().__init__(lines)
        for document in map(parse_line, lines):
            if document["t"] in {"run", "start", "forget"}:
                self._current[document["id"]] = document


class Wrong(MemoryStore):
    log_type = Log


class Config(MemoryStoreConfig):
    made = Wrong
