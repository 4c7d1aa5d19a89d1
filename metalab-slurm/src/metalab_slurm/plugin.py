"""What metalab finds under the name ``slurm`` among its executors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.hookspecs import hookimpl
from metalab_slurm.executor import SlurmExecutor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.execution.base import Executor

__all__ = ["metalab_executor_class", "metalab_make_executor"]


@hookimpl
def metalab_make_executor(options: Mapping[str, Any]) -> Executor:
    """Make the executor that ``executor="slurm"`` names, from the fields of a SlurmConfig."""
    return SlurmExecutor(**options)


@hookimpl
def metalab_executor_class() -> type[Executor]:
    """Return the class that it makes."""
    return SlurmExecutor
