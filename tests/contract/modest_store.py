"""A store that does only what a store must, in memory: it shares nothing and keeps nothing more."""

from __future__ import annotations

from contract.memory_store import MemoryRunLog, MemoryStore, MemoryStoreConfig, MemoryWriter
from metalab.store.base import RunLog, Store, StoreWriter


class ModestWriter(MemoryWriter):
    attend = StoreWriter.attend
    join = StoreWriter.join
    release = StoreWriter.release
    put_loss = StoreWriter.put_loss


class ModestRunLog(MemoryRunLog):
    losses = RunLog.losses
    released = RunLog.released


class ModestStore(MemoryStore):
    writer_type = ModestWriter
    log_type = ModestRunLog

    claims = Store.claims
    ending = Store.ending
    put_patch = Store.put_patch
    get_patch = Store.get_patch
    put_payload = Store.put_payload
    open_payload = Store.open_payload


class ModestStoreConfig(MemoryStoreConfig):
    made = ModestStore
