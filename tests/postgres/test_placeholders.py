"""Nothing of this version pretends to keep results in PostgreSQL."""

from __future__ import annotations

import subprocess
import sys

import pytest

import metalab.store
from metalab.errors import MetalabError
from metalab.store import StoreConfig

REFUSED = r"^metalab-postgres \d+\.\d+\.\d+ cannot keep experiments yet: "


@pytest.mark.parametrize("name", ["PostgresIndex", "PostgresStore", "PostgresStoreConfig"])
def test_every_public_name_says_so_when_used(name):
    with pytest.raises(MetalabError, match=REFUSED):
        getattr(metalab.store, name)("postgresql://localhost/db", file_root="somewhere")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_locator_says_so(scheme):
    with pytest.raises(MetalabError, match=REFUSED):
        StoreConfig.from_locator(f"{scheme}://localhost/db?file_root=/shared")


def test_a_stored_configuration_says_so():
    with pytest.raises(MetalabError, match=REFUSED):
        StoreConfig.from_dict({"_type": "postgresql", "file_root": "/shared"})


def test_the_names_can_be_had_without_loading_a_driver():
    source = """if True:
        import sys
        from metalab.store import PostgresIndex, PostgresStore, PostgresStoreConfig
        sys.exit("psycopg" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0
