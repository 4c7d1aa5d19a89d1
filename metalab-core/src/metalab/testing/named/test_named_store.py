"""The contract of stores, asked of the one that ``--store`` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from metalab.store.config import StoreConfig, parse_to_config
from metalab.testing import StoreContract
from metalab.testing.named.choice import STORE, fresh

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TestNamedStore"]


class TestNamedStore(StoreContract):
    """The store that ``--store`` names."""

    @pytest.fixture
    def config(self, request: pytest.FixtureRequest, tmp_path: Path) -> StoreConfig:
        """Return the configuration of a place of the test's own."""
        return parse_to_config(fresh(request.config.getoption(STORE), tmp_path))
