"""Leaves out what nobody has named, and asks less of what cannot do all."""

from __future__ import annotations

from pathlib import Path

import pytest

from metalab.testing.named.choice import EXECUTOR, STORE, WITHOUT, deny

__all__ = ["pytest_collection_modifyitems", "pytest_ignore_collect"]

_MODULES = {"test_named_executor.py": EXECUTOR, "test_named_store.py": STORE}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over the contracts of kinds of plugin of which none is named."""
    option = _MODULES.get(collection_path.name)
    if option is None:
        return None
    if not any(config.getoption(each, None) for each in _MODULES.values()):
        raise pytest.UsageError(
            "say what is to be asked: pytest -p metalab.testing --pyargs metalab.testing "
            "--store LOCATOR, or --executor NAME"
        )
    return True if config.getoption(option, None) is None else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have the contracts know what the plugins cannot do."""
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    contracts = {item.cls for item in here if isinstance(item, pytest.Function) and item.cls}
    deny(config.getoption(WITHOUT, []), contracts)
