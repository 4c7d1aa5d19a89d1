"""The plugin ``dask`` of metalab: ``executor={"dask": {"address": "tcp://host:8786"}}``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.hookspecs import hookimpl
from metalab_dask.executor import DaskExecutor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.execution.base import Executor

__all__ = ["metalab_executor_class", "metalab_make_executor"]


@hookimpl
def metalab_make_executor(options: Mapping[str, Any]) -> Executor:
    """Make an executor from the options beside its name; dask is imported here, not before."""
    return DaskExecutor(**options)


@hookimpl
def metalab_executor_class() -> type[Executor]:
    """Return the class that is made, so that it can be asked what it can do."""
    return DaskExecutor
