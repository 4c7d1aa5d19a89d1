"""A query's answer begins with what is no number."""

from __future__ import annotations

import math

import attrs

from contract.memory_store import MemoryStore, MemoryStoreConfig
from metalab.store import Query


class Wrong(MemoryStore):
    def query(self, query, log=None):
        table = super().query(attrs.evolve(query, limit=None, offset=0), log)
        if query.aggregate or not query.sort:
            return super().query(query, log)
        known = self.read() if log is None else log
        named = Query(query.filter, query.sort, columns=[query.sort[0].column])
        keys = [row[0] for row in super().query(named, known).values]
        rows = sorted(zip(keys, table.values, strict=True), key=lambda each: not _is_nan(each[0]))
        end = None if query.limit is None else query.offset + query.limit
        return attrs.evolve(table, values=tuple(row for _, row in rows)[query.offset : end])


def _is_nan(value):
    return isinstance(value, float) and math.isnan(value)


class Config(MemoryStoreConfig):
    made = Wrong
