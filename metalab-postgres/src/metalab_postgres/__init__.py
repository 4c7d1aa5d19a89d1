"""The PostgreSQL store of metalab: results in files, indexed by a database."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metalab_postgres.config import PostgresStoreConfig as PostgresStoreConfig
    from metalab_postgres.index import PostgresIndex as PostgresIndex
    from metalab_postgres.store import PostgresStore as PostgresStore

_HOMES = {
    "PostgresIndex": "metalab_postgres.index",
    "PostgresStore": "metalab_postgres.store",
    "PostgresStoreConfig": "metalab_postgres.config",
}

__all__ = ["PostgresIndex", "PostgresStore", "PostgresStoreConfig"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
