"""Metrics that are NaN are left out, as where a database has no NaN."""

from __future__ import annotations

import math

import attrs

from contract.memory_store import MemoryStore, MemoryStoreConfig, MemoryWriter


def _is_nan(value):
    return isinstance(value, float) and math.isnan(value)


class Writer(MemoryWriter):
    def put(self, record, acknowledged=None):
        metrics = {name: value for name, value in record.metrics.items() if not _is_nan(value)}
        super().put(attrs.evolve(record, metrics=metrics), acknowledged)


class Wrong(MemoryStore):
    writer_type = Writer


class Config(MemoryStoreConfig):
    made = Wrong
