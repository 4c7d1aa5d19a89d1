"""What a store held when its results were read: shared by the runs of one Results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.results.freshness import Entries, fresh_entries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.store.base import RunLog, Store

__all__ = ["Reader"]


class Reader:
    """Reads a store when first asked, then keeps to what it read until it is refreshed."""

    def __init__(self, store: Store, log: RunLog | None = None) -> None:
        self.store = store
        self._log = log
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

    def refreshed(self) -> Reader:
        """Return a reader of what the store holds now, or this one where nothing was added."""
        log = self.store.read(self.log)
        return self if log is self.log else Reader(self.store, log)

    def derived(self, run_id: str) -> Entries:
        """Return what is kept of the derived metrics that hold for a run's current record."""
        return fresh_entries(self.log, run_id)

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
