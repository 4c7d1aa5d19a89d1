"""The executor contract: who runs the pending runs of a plan, and how it is watched and stopped."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

if TYPE_CHECKING:
    from metalab.events import Event
    from metalab.execution.policy import FailurePolicy
    from metalab.planning import Plan
    from metalab.store.base import Store

__all__ = ["Batch", "Executor", "Submission"]


@attrs.frozen(eq=False)
class Batch:
    """All that an executor needs to execute the pending runs of one launch.

    ``pending`` holds indices into ``plan``; ``attempts`` the (epoch, attempt) each of them
    starts with, aligned with ``pending``. ``emit`` takes events from any thread.
    """

    plan: Plan
    pending: Sequence[int]
    attempts: Callable[[str], tuple[int, int]]
    store: Store
    launch: str
    manifest: str
    emit: Callable[[Event], None]
    failures: FailurePolicy
    derived_metrics: Sequence[Any] = ()


class Submission(abc.ABC):
    """One batch on its way through an executor."""

    @abc.abstractmethod
    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing of the batch runs any more; False if ``timeout`` seconds pass."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """Start no further run, and ask the running ones to stop; returns at once."""

    @abc.abstractmethod
    def is_done(self) -> bool:
        """Tell whether the batch is over."""

    def error(self) -> BaseException | None:
        """Return what stopped the batch, if that was no run's own failure."""
        return None


class Executor(abc.ABC):
    """Executes batches. One executor may be given several batches at once.

    ``can_kill`` tells whether it can end a run that does not cooperate; without it limits
    on time and memory are refused before anything runs.
    """

    name: ClassVar[str]
    can_kill: ClassVar[bool] = False

    @abc.abstractmethod
    def submit(self, batch: Batch) -> Submission:
        """Begin to execute the batch and return at once (``inline`` returns when done)."""

    def shutdown(self, *, wait: bool = True) -> None:
        """End the executor's workers; with ``wait``, after the batches it was given."""

    def __enter__(self) -> Self:
        """Return the executor itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Shut the executor down; batches under way are finished unless an error is raised."""
        self.shutdown(wait=True)
