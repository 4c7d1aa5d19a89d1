"""The names of the PostgreSQL store; each says when used that it does nothing yet."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, NoReturn

from metalab.errors import MetalabError

__all__ = ["PostgresIndex", "PostgresStore", "PostgresStoreConfig", "refuse"]


def refuse() -> NoReturn:
    """Raise the error that says what this version cannot do and what to use instead."""
    raise MetalabError(
        f"metalab-postgres {version('metalab-postgres')} cannot keep experiments yet: it only "
        "reserves its names; name a folder as the store, such as store='./experiments'"
    )


class _Placeholder:
    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  any call is refused
        refuse()


class PostgresStoreConfig(_Placeholder):
    """Will say where a PostgreSQL store is; raises MetalabError in this version."""


class PostgresStore(_Placeholder):
    """Will keep results in files and index them in PostgreSQL; raises MetalabError for now."""


class PostgresIndex(_Placeholder):
    """Will be the index alone; raises MetalabError in this version."""
