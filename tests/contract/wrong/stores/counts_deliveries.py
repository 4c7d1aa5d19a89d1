"""A line that comes twice is an attempt more."""

from __future__ import annotations

from contract.memory_store import MemoryRunLog, MemoryStore, MemoryStoreConfig
from metalab.store.lines import parse_line


class Log(MemoryRunLog):
    def attempts(self, run_id):
        attempts = super().attempts(run_id)
        lines = [line.rstrip(b"\n") for line in self._lines if parse_line(line).get("id") == run_id]
        return [line for each in attempts for line in [each] * lines.count(each)]


class Wrong(MemoryStore):
    log_type = Log


class Config(MemoryStoreConfig):
    made = Wrong
