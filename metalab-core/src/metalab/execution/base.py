"""The executor contract: who runs the pending runs of a plan, and how it is watched and stopped."""

from __future__ import annotations

import abc
import os
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

from metalab.errors import MetalabError
from metalab.execution.policy import Limits, Retry
from metalab.store.causes import Cause
from metalab.store.claiming import Ending

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from metalab.execution.dispatch import Dispatch
    from metalab.execution.handle import RunHandle
    from metalab.execution.ledger import Ledger
    from metalab.execution.policy import FailurePolicy
    from metalab.planning import Plan
    from metalab.results.derived import DerivedMetric
    from metalab.store.base import RunLog, Store

__all__ = ["Batch", "Executor", "Submission", "Work"]


@attrs.frozen(eq=False, kw_only=True)
class Work:
    """What a worker needs to execute the runs of a launch, in whatever process.

    ``manifest`` names the experiment's manifest in the store. ``notices`` are warnings that
    every record carries. ``until`` is the time of ``time.monotonic`` at which the place where
    runs execute ends, as a job's time does. ``attempts`` is how many attempts at a run may be
    lost in a row to what the run may have caused itself.
    """

    plan: Plan
    store: Store
    launch: str
    manifest: str
    derived_metrics: Sequence[DerivedMetric] = ()
    retry: Retry = attrs.field(factory=lambda: Retry.of(None))
    limits: Limits = attrs.field(factory=Limits)
    notices: Sequence[str] = ()
    until: float | None = None
    attempts: int = 3


@attrs.frozen(eq=False, kw_only=True)
class Batch(Work):
    """All that an executor needs to execute the pending runs of one launch.

    ``pending`` holds indices into ``plan``. ``tries`` holds, by run id, the (epoch,
    attempt) of those runs that have a record already; the others begin with (0, 1). What
    happens to each run is told to ``ledger``. ``underived`` holds the indices of runs that
    are not pending but lack a derived metric. ``log`` is what was stored when the batch was
    made, and ``started`` the ids of the runs that were under way then.

    Where a launch ``is_shared`` by several processes, each may execute ``quota`` runs at most,
    and leaves to others those that have died more often of some causes than its ``allowance``
    says. Runs that others ended it does not look after.
    """

    pending: Sequence[int]
    tries: Mapping[str, tuple[int, int]]
    ledger: Ledger
    failures: FailurePolicy
    underived: Sequence[int] = ()
    log: RunLog | None = None
    started: Collection[str] = ()
    is_shared: bool = False
    quota: int | None = None
    allowance: Mapping[str, int] = attrs.field(factory=dict)


class Submission(abc.ABC):
    """One batch on its way through an executor."""

    is_detached: bool = False
    """Whether it goes on when this process ends, which therefore does not wait for it."""

    @abc.abstractmethod
    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing of the batch runs any more; False if ``timeout`` seconds pass."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """Start no further run, and ask the running ones to stop; returns at once."""

    @abc.abstractmethod
    def error(self) -> BaseException | None:
        """Return what stopped the batch, if that was no run's own failure."""

    def is_done(self) -> bool:
        """Tell whether the batch is over."""
        return self.wait(0)

    @staticmethod
    def _check_process(pid: int) -> None:
        if os.getpid() != pid:
            raise RuntimeError(
                "a launch goes on in the process that began it, and not in one forked from it; "
                "read its results there, or with metalab.load_results"
            )

    def announcement(self) -> str | None:
        """Say in a few words with whom a detached batch now is; None if it ends with this process.

        They complete "12 runs are with ...".
        """
        return None

    @abc.abstractmethod
    def secure(self) -> None:
        """Make durable what was finished so far; called before a process leaves in haste."""


class Executor(abc.ABC):
    """Executes batches. One executor may be given several batches at once.

    ``can_kill`` tells whether it can end a run that does not cooperate, ``is_detached`` whether
    it keeps a Dispatch of each batch, for workers that go on by themselves. ``handle_type`` is the
    kind of RunHandle that ``metalab.run`` returns, None for that itself. ``jobs_option`` names
    the option that says how much goes on at once, None if that is always one run.
    """

    name: ClassVar[str]
    can_kill: ClassVar[bool] = False
    is_detached: ClassVar[bool] = False
    handle_type: ClassVar[type[RunHandle] | None] = None
    jobs_option: ClassVar[str | None] = None

    @classmethod
    def readiness(cls) -> tuple[bool, str] | None:
        """Tell whether this machine has what it needs, in words too; None: it needs nothing.

        That is to take a few seconds at most, and raises nothing.
        """
        return None

    def check(self, limits: Limits) -> None:
        """Refuse limits that this executor has no means to enforce; raises MetalabError."""
        if limits.needed is not None and not self.can_kill:
            raise MetalabError(
                f"{limits.needed}: the executor {self.name!r} cannot end a run that goes on; "
                "use executor='process'"
            )

    def admit(  # noqa: B027  most executors take what they are given
        self, plan: Plan, metrics: Sequence[DerivedMetric], retry: Retry, limits: Limits
    ) -> None:
        """Refuse what cannot be executed here, before anything is written.

        Raises MetalabError, as where it cannot be sent to other processes.
        """

    @abc.abstractmethod
    def submit(self, batch: Batch) -> Submission:
        """Begin to execute the batch and return at once (``inline`` returns when done).

        Raises RuntimeError after ``shutdown``.
        """

    def alive(self, owner: str) -> bool | None:  # noqa: ARG002  for executors that can tell
        """Tell whether the worker that a segment's ``owner`` names still runs; None: unknown."""
        return None

    def ending(self, owner: str) -> Ending:  # noqa: ARG002  as above
        """Tell how a worker that is not alive ended: in a word of Cause, and for people."""
        return Ending(Cause.GONE)

    def is_under_way(self, dispatch: Dispatch) -> bool | None:  # noqa: ARG002  as above
        """Tell whether workers still execute, or will, what was kept; None: unknown."""
        return None

    def reattach(self, dispatch: Dispatch, batch: Batch) -> Submission:  # noqa: ARG002  as above
        """Follow a batch that an executor of this kind has submitted, in whatever process.

        Raises MetalabError where batches end with the process that submitted them.
        """
        raise MetalabError(
            f"what the executor {self.name!r} executes ends with the process that submitted it; "
            "metalab.run executes what is left"
        )

    def describe(self, dispatch: Dispatch) -> Mapping[str, Any]:  # noqa: ARG002  as above
        """Say how what was kept is being executed, as strict JSON; nothing by default.

        ``words`` is a list of lines for people, ``under_way`` what ``is_under_way`` tells.
        Nothing is raised where it cannot be known: the lines say so.
        """
        return {}

    def cancel(self, dispatch: Dispatch) -> None:  # noqa: ARG002  as above
        """End what executes the runs that were kept, whichever process began it.

        Returns once that was asked for. Raises MetalabError where it cannot be, which says
        what becomes of them.
        """
        raise MetalabError(
            f"what the executor {self.name!r} executes ends with the process that submitted it"
        )

    def outputs(self, dispatch: Dispatch) -> Sequence[Path]:  # noqa: ARG002  as above
        """Return the files into which the workers of what was kept print, the newest last."""
        return ()

    @abc.abstractmethod
    def shutdown(self, *, wait: bool = True) -> None:
        """Take no further batch; with ``wait``, return once those given are over."""

    def __enter__(self) -> Self:
        """Return the executor itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Shut the executor down, after the batches it was given."""
        self.shutdown()
