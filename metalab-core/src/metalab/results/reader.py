"""What a store held when its results were read: shared by the runs of one Results."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from metalab.results.freshness import Entries, fresh_beside, fresh_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from metalab.store.base import RunLog, Store, StoreWriter

__all__ = ["Reader"]


class Reader:
    """Reads a store when first asked, then keeps to what it read until it is refreshed."""

    def __init__(self, store: Store, log: RunLog | None = None) -> None:
        self.store = store
        self._log = log
        self._beside: RunLog | None = None
        self._manifests: dict[str, dict[str, Any]] | None = None
        self._launches: dict[str, dict[str, Any]] | None = None

    @property
    def log(self) -> RunLog:
        """The folded lines."""
        if self._log is None:
            self._log = self.store.read()
        return self._log

    def refresh(self) -> None:
        """Read what has been added since."""
        self._log = self.store.read(self._log)
        self._beside = None

    def refreshed(self) -> Reader:
        """Return a reader of what the store holds now, or this one where nothing was added."""
        log = self.store.read(self.log)
        return self if log is self.log else Reader(self.store, log)

    def derived(self, run_id: str) -> Entries:
        """Return what is kept of the derived metrics that hold for a run's current record.

        Of values that stand in the store and beside it the later revision counts.
        """
        entries = fresh_entries(self.log, run_id)
        if (beside := self._log_beside()) is None:
            return entries
        for name, entry in fresh_beside(self.log, beside, run_id).items():
            if name not in entries or entry["rev"] >= entries[name]["rev"]:
                entries[name] = entry
        return entries

    def revision(self, run_id: str, name: str) -> int:
        """Return the number of the latest revision of a run's derived values; 0 if it has none."""
        kept = (self.log.derived(run_id), self.derived(run_id))
        return max(int(entries.get(name, {}).get("rev", 0)) for entries in kept)

    @contextmanager
    def writer(self) -> Iterator[StoreWriter]:
        """Lend a writer for derived values: the store's, or beside it where that is closed."""
        beside = self.store.beside() if self.store.is_closed() else None
        with (self.store if beside is None else beside).own_writer() as writer:
            yield writer

    def _log_beside(self) -> RunLog | None:
        if self._beside is None and (beside := self.store.beside()) is not None:
            self._beside = beside.read()
        return self._beside

    def manifest(self, name: str | None) -> Mapping[str, Any]:
        """Return the manifest of that name, without a name the newest; empty if there is none."""
        if self._manifests is None:
            self._manifests = self.store.manifests()
        if name is None:
            name = next(reversed(self._manifests), None)
        return self._manifests.get(name or "", {})

    def launch(self, name: str) -> Mapping[str, Any]:
        """Return what is kept of a launch; empty if nothing is."""
        if self._launches is None:
            self._launches = self.store.launches()
        return self._launches.get(name, {})
