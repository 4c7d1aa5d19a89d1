"""A unit is looked at, and then claimed: two may do so at once."""

from __future__ import annotations

import time

from contract.memory_store import MemoryClaims, MemoryStore, MemoryStoreConfig


class SlowClaims(MemoryClaims):
    def take(self, claim):
        known = self.owners().get(claim.unit)
        if known is not None and known.generation >= claim.generation and known != claim:
            return False
        time.sleep(0.001)  # the way to a server and back
        self._shelf.claims[self._plan, claim.unit, claim.generation] = claim
        return True


class Wrong(MemoryStore):
    claims_type = SlowClaims


class Config(MemoryStoreConfig):
    made = Wrong
