"""The store keeps the contract: every test is inherited from metalab's kit."""

from __future__ import annotations

import pytest

from metalab.testing import PluginContract, StoreContract
from metalab_sqlite.config import SqliteStoreConfig


class TestSqliteStore(StoreContract):
    syncs_through_os = False  # SQLite does that
    keeps_launch_files = False  # one file is one file
    can_compact = False  # there is nothing to merge

    @pytest.fixture
    def config(self, tmp_path):
        return SqliteStoreConfig(tmp_path / "store" / "results.db")


class TestPlugin(PluginContract):
    distribution = "metalab-sqlite"
    libraries = ("sqlite3",)
