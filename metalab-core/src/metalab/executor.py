"""Executors and handles, by the name scripts import them from."""

from __future__ import annotations

from metalab.execution.base import Executor
from metalab.execution.handle import RunHandle
from metalab.execution.inline import InlineExecutor
from metalab.execution.ledger import RunStatus
from metalab.execution.thread import ThreadExecutor

__all__ = ["Executor", "InlineExecutor", "RunHandle", "RunStatus", "ThreadExecutor"]
