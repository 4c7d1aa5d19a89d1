"""Runs of metalab on a cluster of dask.distributed; installing it is all it takes."""

from __future__ import annotations

from metalab_dask.executor import DaskExecutor

__all__ = ["DaskExecutor"]
