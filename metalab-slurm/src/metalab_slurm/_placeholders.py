"""The names of the Slurm executor; each says when used that it does nothing yet."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, NoReturn

from metalab.errors import MetalabError

__all__ = ["SlurmConfig", "SlurmExecutor", "SlurmRunHandle", "refuse"]


def refuse() -> NoReturn:
    """Raise the error that says what this version cannot do and what to use instead."""
    raise MetalabError(
        f"metalab-slurm {version('metalab-slurm')} cannot run experiments yet: it only reserves "
        "its names; run inside an allocation with executor='thread' or executor='inline'"
    )


class _Placeholder:
    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  any call is refused
        refuse()


class SlurmConfig(_Placeholder):
    """Will say which resources a Slurm job asks for; raises MetalabError in this version."""


class SlurmExecutor(_Placeholder):
    """Will run experiments as Slurm jobs; raises MetalabError in this version."""


class SlurmRunHandle(_Placeholder):
    """Will watch an experiment's Slurm jobs; raises MetalabError in this version."""
