"""Where a launch keeps its results: a store named in any of the ways that users name one."""

from __future__ import annotations

import os

import attrs

from metalab.errors import StoreNotFoundError
from metalab.store.base import Store
from metalab.store.config import DEFAULT_STORE_ROOT, StoreConfig, parse_to_config

__all__ = ["Place"]


@attrs.frozen
class Place:
    """One experiment's store, which may not exist yet."""

    config: StoreConfig
    store: Store | None = None

    @classmethod
    def of(
        cls, store: str | os.PathLike[str] | StoreConfig | Store | None, experiment_id: str
    ) -> Place:
        """Read what a user gave as a store; None is ``./experiments``.

        Raises TypeError for anything that names no store, ValueError for a store of
        another experiment or a scheme that no plugin serves.
        """
        if isinstance(store, Store):
            scoped = store.scoped(experiment_id)
            return cls(scoped.config, scoped)
        if isinstance(store, StoreConfig):
            return cls(store.scoped(experiment_id))
        if store is None or isinstance(store, str | os.PathLike):
            config = parse_to_config(DEFAULT_STORE_ROOT if store is None else store)
            return cls(config.scoped(experiment_id))
        raise TypeError(
            f"store={store!r} is a {type(store).__name__}; give a path, a locator such as "
            "'postgresql://...', a StoreConfig or a Store"
        )

    def find(self) -> Store | None:
        """Return the store if it exists, writing nothing."""
        if self.store is not None:
            return self.store
        try:
            return self.config.open()
        except StoreNotFoundError:
            return None

    def make(self) -> Store:
        """Return the store, making it where there is none."""
        return self.store if self.store is not None else self.config.connect()
