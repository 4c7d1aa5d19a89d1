"""The inline executor: runs in the caller's own thread, where a debugger can follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.execution.base import Executor, Submission
from metalab.execution.local import LocalSubmission
from metalab.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.execution.base import Batch

__all__ = ["InlineExecutor", "metalab_executor_class", "metalab_make_executor"]


class InlineExecutor(Executor):
    """Executes a batch before ``submit`` returns, one run after the other."""

    name = "inline"

    def __init__(self) -> None:
        self._closed = False

    def submit(self, batch: Batch) -> Submission:
        """Execute the batch; Ctrl-C ends it after the record of the run it hit."""
        if self._closed:
            raise RuntimeError("this InlineExecutor was shut down")
        submission = LocalSubmission(batch, self.name)
        submission.serve("0")
        if isinstance(error := submission.error(), KeyboardInterrupt):
            raise error
        return submission

    def shutdown(self, *, wait: bool = True) -> None:  # noqa: ARG002  nothing is under way
        """Take no further batch."""
        self._closed = True


@hookimpl
def metalab_make_executor(options: Mapping[str, Any]) -> Executor:
    """Make the executor that ``executor="inline"`` names."""
    return InlineExecutor(**options)


@hookimpl
def metalab_executor_class() -> type[Executor]:
    """Return the class that it makes."""
    return InlineExecutor
