"""Deaths: what is known of a worker process that is gone, and of the run that it had begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from metalab.errors import CancelledError, MetalabError, RunTimeoutError, WorkerDiedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.execution.process.member import Ending
    from metalab.execution.task import Task

__all__ = ["LEFT", "TIMEOUT", "Death"]

LEFT, TIMEOUT = "left", "timeout"
"""Why a supervisor ends a worker: its process is to be left at once; a run took too long."""


@attrs.frozen
class Death:
    """The death of a worker, as one launch is told of it.

    ``task`` is the launch's task that was under way, ``is_ready`` whether its operation had
    been called, ``seconds`` for how long, ``is_settled`` whether its end was noted and told.
    ``writer`` is the dead worker's for this launch;
    ``orphans`` are tasks that ended and may not be durable. ``how`` says how the process ended,
    ``words`` what the interpreter wrote down, ``verdict`` why it was ended.
    """

    worker: str
    writer: str
    how: str
    words: str
    verdict: str | None
    task: Task | None
    is_ready: bool
    is_settled: bool
    seconds: float
    orphans: Sequence[Ending]

    def error(self, timeout: float | None, tries: int, most: int) -> MetalabError:
        """Return what a run that was under way failed of, at which of its tries."""
        if self.verdict == TIMEOUT:
            return RunTimeoutError(
                f"the run was stopped: it did not end within {timeout:g} s (try {tries} of {most})"
            )
        if self.verdict == LEFT:
            return CancelledError("the launch was left while the run was under way")
        return WorkerDiedError(f"the process that executed it {self.how} (try {tries} of {most})")
