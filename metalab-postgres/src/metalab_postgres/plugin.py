"""What metalab finds under the schemes ``postgresql`` and ``postgres`` among its stores."""

from __future__ import annotations

from typing import NoReturn

from metalab.hookspecs import hookimpl
from metalab_postgres._placeholders import refuse

__all__ = ["metalab_command", "metalab_store_config", "metalab_store_config_from_dict"]


@hookimpl
def metalab_store_config() -> NoReturn:
    """Refuse: this version cannot keep anything."""
    refuse()


@hookimpl
def metalab_store_config_from_dict() -> NoReturn:
    """Refuse: this version cannot keep anything."""
    refuse()


@hookimpl
def metalab_command() -> str:
    """Name the module of ``metalab postgres``."""
    return "metalab_postgres.command"
