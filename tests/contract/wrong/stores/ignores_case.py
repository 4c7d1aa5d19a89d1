"""Experiments whose names differ in case alone are one."""

from __future__ import annotations

import attrs

from contract.memory_store import MemoryStore, MemoryStoreConfig


class Wrong(MemoryStore):
    def __init__(self, config):
        experiment_id = config.experiment_id and config.experiment_id.lower()
        super().__init__(attrs.evolve(config, experiment_id=experiment_id))

    def scoped(self, experiment_id):
        return super().scoped(experiment_id.lower())


class Config(MemoryStoreConfig):
    made = Wrong
