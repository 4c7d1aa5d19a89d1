"""The PostgreSQL store of metalab; this version reserves its names and keeps nothing."""

from __future__ import annotations

from metalab_postgres._placeholders import PostgresIndex, PostgresStore, PostgresStoreConfig

__all__ = ["PostgresIndex", "PostgresStore", "PostgresStoreConfig"]
