"""Whoever claims a unit gets it."""

from __future__ import annotations

from contract.memory_store import MemoryClaims, MemoryStore, MemoryStoreConfig


class AllClaims(MemoryClaims):
    def take(self, claim):
        super().take(claim)
        return True


class Wrong(MemoryStore):
    claims_type = AllClaims


class Config(MemoryStoreConfig):
    made = Wrong
