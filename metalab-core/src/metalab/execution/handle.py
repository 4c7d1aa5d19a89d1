"""Handles: watch a launch, wait for it, stop it, and read its results."""

from __future__ import annotations

import math
import threading
import time
from shlex import quote
from typing import TYPE_CHECKING, Self

from metalab.execution.departure import stop_after_interrupt
from metalab.results import Results, Run
from metalab.store.document import record_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from metalab.events import EventCallback
    from metalab.execution.base import Submission
    from metalab.execution.ledger import Ledger, RunStatus
    from metalab.planning import Plan
    from metalab.store.base import Store

__all__ = ["RunHandle"]


class RunHandle:
    """One launch of an experiment. Used as a context manager it waits at the end of the block,
    and cancels first if the block raises.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        launch: str,
        ledger: Ledger,
        submission: Submission | None,
        callback: EventCallback | None = None,
    ) -> None:
        self._plan = plan
        self._store = store
        self._launch = launch
        self._ledger = ledger
        self._submission = submission
        self._callback = callback

    @property
    def job_id(self) -> str:
        """The launch's name; its segments in the store begin with it."""
        return self._launch

    @property
    def store(self) -> Store:
        """The experiment's store."""
        return self._store

    @property
    def status(self) -> RunStatus:
        """How many runs are in which state, now."""
        return self._ledger.status

    @property
    def is_complete(self) -> bool:
        """Whether nothing more will happen."""
        return self._submission is None or self._submission.is_done()

    @property
    def is_detached(self) -> bool:
        """Whether the launch goes on when this process ends."""
        return self._submission is not None and self._submission.is_detached

    def announcement(self) -> str | None:
        """Say where the runs of a detached launch are, and how to follow and to end it.

        None for a launch that ends with this process.
        """
        if self._submission is None or (whom := self._submission.announcement()) is None:
            return None
        runs, name = self.status.in_flight, self._plan.experiment_id
        left = f"{runs:,} runs are" if runs != 1 else "1 run is"
        place = f"{quote(self._store.locator)} -e {quote(name)}"
        return (
            f"{name}: {left} with {whom}, whether this process goes on or not; "
            f"`metalab watch {place}` follows, `metalab cancel {place}` ends that"
        )

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the launch is over; False if ``timeout`` seconds pass before.

        Ctrl-C stops the launch: the runs under way end, then KeyboardInterrupt is raised. A
        launch that is detached goes on.
        Raises RuntimeError in a callback of the launch, which the launch itself waits for.
        """
        seconds = _seconds(timeout)
        if self._submission is None:
            return True
        if self._ledger.is_telling() and not self.is_complete:
            raise RuntimeError(
                "an event callback cannot wait for the launch that is calling it; "
                "wait where metalab.run was called"
            )
        try:
            return self._submission.wait(seconds)
        except KeyboardInterrupt:
            stop_after_interrupt(self._submission)
            raise

    def result(self, timeout: float | None = None) -> Results:
        """Wait for the launch and return the results of all its runs, in plan order.

        ``timeout`` is one deadline for everything, in seconds. Raises TimeoutError when it
        passes (the launch goes on), and what stopped the launch if that was no run's own
        failure, such as a store that cannot be written.
        """
        begun = time.monotonic()
        if not self.wait(timeout):
            status = self.status
            raise TimeoutError(
                f"{status.in_flight} of {status.total} runs were not done after "
                f"{time.monotonic() - begun:.1f} s; they go on, and result() may be called again"
            )
        if self._submission is not None and (error := self._submission.error()) is not None:
            raise error
        return Results.from_store(self._store, order=self._plan.ids)

    def as_completed(self) -> Iterator[Run]:
        """Yield each run as it ends, in the order they end; the skipped ones come first."""
        log = self._store.read()
        for index in self._ledger.endings():
            run_id = self._plan.ids[index]
            if run_id not in log:
                log = self._store.read(log)
            yield Run(record_in(log, run_id), self._store)
        self.wait()

    def cancel(self) -> None:
        """Start no further run and ask the running ones to stop; returns at once."""
        if self._submission is not None:
            self._submission.cancel()

    def set_event_callback(self, callback: EventCallback | None) -> None:
        """Call ``callback`` with each event from now on, in place of an earlier one.

        Of runs that ended within the last commit interval their end may not be told.
        """
        if self._callback is not None:
            self._ledger.unlisten(self._callback)
        self._callback = callback
        if callback is not None:
            self._ledger.listen(callback)

    def __enter__(self) -> Self:
        """Return the handle itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for the launch, cancelling it first if the block raised."""
        if kind is not None:
            self.cancel()
        self.wait()

    def __repr__(self) -> str:
        """Say which launch this is and how far it has come."""
        status = self.status
        return (
            f"{type(self).__name__}({self._plan.experiment_id}, "
            f"{status.done} of {status.total} done)"
        )


def _seconds(timeout: float | None) -> float | None:
    """Return a timeout as threads take one: None is for ever."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or math.isnan(timeout):
        raise TypeError(f"timeout={timeout!r} is no number of seconds; None waits without one")
    return None if timeout > threading.TIMEOUT_MAX else max(0.0, float(timeout))
