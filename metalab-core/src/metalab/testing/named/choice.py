"""What the command line says of the plugins that are asked."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import os
    from collections.abc import Collection

__all__ = ["EXECUTOR", "OPTIONS", "STORE", "WITHOUT", "deny", "fresh"]

STORE, EXECUTOR, OPTIONS, WITHOUT = (
    "metalab_store",
    "metalab_executor",
    "metalab_executor_options",
    "metalab_without",
)


def fresh(locator: str, folder: os.PathLike[str] | str) -> str:
    """Return the locator of a place of a test's own, which has this folder to itself."""
    return locator.replace("{tmp}", str(folder)).replace("{place}", f"kit{token_hex(6)}")


def deny(names: Collection[str], contracts: Collection[type]) -> None:
    """Make attributes of contracts False; raises UsageError for what is none of theirs."""
    known = {contract: _capabilities(contract) for contract in contracts}
    there = set().union(*known.values())
    if unknown := sorted(set(names) - there):
        raise pytest.UsageError(
            f"--without {', '.join(unknown)}: there is {', '.join(sorted(there))}"
        )
    for contract, capabilities in known.items():
        for name in capabilities.intersection(names):
            setattr(contract, name, False)


def _capabilities(contract: type) -> set[str]:
    return {name for name in dir(contract) if name[0] != "_" and getattr(contract, name) is True}
