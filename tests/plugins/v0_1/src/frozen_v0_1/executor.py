"""An executor that hands its batches on to a thread of metalab's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metalab import hookimpl
from metalab.execution.base import Batch, Executor, Submission
from metalab.executor import ThreadExecutor

__all__ = ["FrozenExecutor"]


class FrozenSubmission(Submission):
    """A batch that another submission looks after."""

    def __init__(self, inner: Submission) -> None:
        self._inner = inner

    def wait(self, timeout: float | None = None) -> bool:
        return self._inner.wait(timeout)

    def cancel(self) -> None:
        self._inner.cancel()

    def error(self) -> BaseException | None:
        return self._inner.error()

    def secure(self) -> None:
        self._inner.secure()


class FrozenExecutor(Executor):
    """Executes runs in so many threads."""

    name = "frozen"
    jobs_option = "workers"

    def __init__(self, workers: int = 1) -> None:
        self._inner = ThreadExecutor(workers)

    def submit(self, batch: Batch) -> Submission:
        return FrozenSubmission(self._inner.submit(batch))

    def shutdown(self, *, wait: bool = True) -> None:
        self._inner.shutdown(wait=wait)


@hookimpl
def metalab_make_executor(options: Mapping[str, Any]) -> Executor:
    return FrozenExecutor(**options)


@hookimpl
def metalab_executor_class() -> type[Executor]:
    return FrozenExecutor
