"""Stores: where results are kept. Names are read from their modules when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from metalab._lazy import LAZY, load_lazy

if TYPE_CHECKING:
    from metalab.store.base import Store as Store
    from metalab.store.config import (
        DEFAULT_STORE_ROOT as DEFAULT_STORE_ROOT,
        StoreConfig as StoreConfig,
        create_store as create_store,
        parse_to_config as parse_to_config,
    )
    from metalab.store.earlier.importing import import_store as import_store
    from metalab.store.file.config import FileStoreConfig as FileStoreConfig
    from metalab.store.file.store import FileStore as FileStore
    from metalab.store.locator import LocatorInfo as LocatorInfo, parse_locator as parse_locator
    from metalab.store.query.query import Aggregate as Aggregate, Query as Query
    from metalab.store.query.table import Table as Table
    from metalab.store.transfer import export_store as export_store
    from metalab_postgres import (
        PostgresIndex as PostgresIndex,
        PostgresStore as PostgresStore,
        PostgresStoreConfig as PostgresStoreConfig,
    )

_HOMES = {
    "Aggregate": "metalab.store.query.query",
    "DEFAULT_STORE_ROOT": "metalab.store.config",
    "FileStore": "metalab.store.file.store",
    "FileStoreConfig": "metalab.store.file.config",
    "LocatorInfo": "metalab.store.locator",
    "Query": "metalab.store.query.query",
    "Store": "metalab.store.base",
    "StoreConfig": "metalab.store.config",
    "Table": "metalab.store.query.table",
    "create_store": "metalab.store.config",
    "export_store": "metalab.store.transfer",
    "import_store": "metalab.store.earlier.importing",
    "parse_locator": "metalab.store.locator",
    "parse_to_config": "metalab.store.config",
}
_PLUGINS = ("PostgresIndex", "PostgresStore", "PostgresStoreConfig")

__all__ = [  # noqa: RUF022  sorted as text, constants among the rest
    "Aggregate",
    "DEFAULT_STORE_ROOT",
    "FileStore",
    "FileStoreConfig",
    "LocatorInfo",
    "Query",
    "Store",
    "StoreConfig",
    "Table",
    "create_store",
    "export_store",
    "import_store",
    "parse_locator",
    "parse_to_config",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in _PLUGINS and name in LAZY:
        value = load_lazy(name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PLUGINS})
