"""Public names that other distributions of this project bring; the one place that knows them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from metalab.errors import MissingExtraError

__all__ = ["LAZY", "load_lazy"]

# name -> (module that has it, extra that installs the module)
LAZY = {
    "PostgresIndex": ("metalab_postgres", "postgres"),
    "PostgresStore": ("metalab_postgres", "postgres"),
    "PostgresStoreConfig": ("metalab_postgres", "postgres"),
    "SlurmConfig": ("metalab_slurm", "slurm"),
    "SlurmExecutor": ("metalab_slurm", "slurm"),
    "SlurmRetry": ("metalab_slurm", "slurm"),
    "SlurmRunHandle": ("metalab_slurm", "slurm"),
}


def load_lazy(name: str) -> Any:
    """Import a name of ``LAZY``; raises MissingExtraError that says what to install."""
    module, extra = LAZY[name]
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise MissingExtraError(
            f"{name} needs the {extra} plugin: pip install 'metalab[{extra}]'"
        ) from None
