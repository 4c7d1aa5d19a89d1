"""Of several records of a run, the one that began last counts."""

from __future__ import annotations

from contract.memory_store import MemoryRunLog, MemoryStore, MemoryStoreConfig
from metalab.store.lines import parse_line


class Log(MemoryRunLog):
    def __init__(self, lines):
        super().__init__(lines)
        for document in map(parse_line, lines):
            if document["t"] == "run" and _began(document) > _began(self._current[document["id"]]):
                self._current[document["id"]] = document


def _began(document):
    return (document.get("time") or {}).get("start", "")


class Wrong(MemoryStore):
    log_type = Log


class Config(MemoryStoreConfig):
    made = Wrong
