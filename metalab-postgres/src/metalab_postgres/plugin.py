"""The plugins ``postgresql`` and ``postgres``: locators of files indexed in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.hookspecs import hookimpl
from metalab_postgres.config import config_of_document, config_of_locator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.store.config import StoreConfig
    from metalab.store.locator import LocatorInfo

__all__ = ["metalab_command", "metalab_store_config", "metalab_store_config_from_dict"]


@hookimpl
def metalab_store_config(locator: LocatorInfo, fields: Mapping[str, Any]) -> StoreConfig:
    """Return the configuration of the files and the database that a locator names."""
    return config_of_locator(locator.raw, fields)


@hookimpl
def metalab_store_config_from_dict(document: Mapping[str, Any]) -> StoreConfig:
    """Return the configuration that ``StoreConfig.to_dict`` wrote."""
    return config_of_document(document)


@hookimpl
def metalab_command() -> str:
    """Name the module of ``metalab postgres``."""
    return "metalab_postgres.command"
