"""The plugin ``sqlite`` of metalab: locators such as ``sqlite:///path/to/results.db``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.hookspecs import hookimpl
from metalab_sqlite.config import config_of, config_of_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.store.config import StoreConfig
    from metalab.store.locator import LocatorInfo

__all__ = ["metalab_store_config", "metalab_store_config_from_dict"]


@hookimpl
def metalab_store_config(locator: LocatorInfo, fields: Mapping[str, Any]) -> StoreConfig:
    """Return the configuration of the file that a locator names."""
    return config_of(locator, fields)


@hookimpl
def metalab_store_config_from_dict(document: Mapping[str, Any]) -> StoreConfig:
    """Return the configuration that ``StoreConfig.to_dict`` wrote."""
    return config_of_document(document)
