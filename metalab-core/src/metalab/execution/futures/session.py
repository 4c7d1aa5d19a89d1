"""A launch in one process of a pool, for as long as chunks of it come."""

from __future__ import annotations

import abc
import os
import pickle
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from metalab.execution.base import Work
from metalab.execution.futures.testimony import Testimony
from metalab.execution.futures.ticket import Address, Answer, Ticket
from metalab.execution.parcel import fetch_parcel
from metalab.execution.refusal import described
from metalab.execution.task import BACKFILL, CAREFUL, Task
from metalab.execution.worker import Ended, Worker, deriver_of
from metalab.identity.names import adopt_main
from metalab.records import Status
from metalab.runtime import CancellationToken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from metalab.execution.ledger import Ledger
    from metalab.store.base import RunLog, StoreWriter

__all__ = ["LocalSession", "RemoteSession", "Session"]

_INTERRUPTED = Ended(Status.CANCELLED)


class Session(abc.ABC):
    """Does chunks, several at once where a pool has threads: each by a worker of its own.

    All workers share one writer. ``name`` tells them from those of other processes.
    """

    def __init__(
        self, work: Work, writer: StoreWriter, token: CancellationToken, name: str
    ) -> None:
        self._work = work
        self._writer = writer
        self._token = token
        self._name = name
        self._lock = threading.Lock()
        self._made = 0

    @abc.abstractmethod
    def do(self, ticket: Ticket) -> Answer:
        """Do the tasks of a ticket until it asks for no more."""

    def _is_stopped(self) -> bool:
        """Tell whether nothing further is to be begun."""
        return False

    def _worker(self, witness: Ledger | Testimony) -> Worker:
        with self._lock:
            name = f"{self._name}{self._made}"
            self._made += 1
        deriver = deriver_of(self._work, self._writer)
        return Worker(self._work, witness, self._writer, self._token, name, deriver)

    def _do(self, worker: Worker, ticket: Ticket) -> list[Ended | None]:
        ended = list[Ended | None]()
        deadline = time.monotonic() + ticket.seconds
        for task in ticket.tasks:
            if ended and (self._is_stopped() or time.monotonic() > deadline):
                break
            end = self._do_one(worker, task)
            ended.append(end)
            if end is _INTERRUPTED or (ticket.ends_at_failure and _is_last_failure(end)):
                break
        worker.finish()
        return ended

    def _do_one(self, worker: Worker, task: Task) -> Ended | None:
        if task.flags & BACKFILL:
            worker.backfill(task.run)
            return None
        try:
            return worker.execute(self._work.plan[task.run], task.as_try())
        except KeyboardInterrupt:  # the run is recorded as cancelled
            return _INTERRUPTED


def _is_last_failure(end: Ended | None) -> bool:
    return end is not None and end.status is Status.FAILED and not end.again


class LocalSession(Session):
    """A launch in the very process that submitted it: its ledger is told of all at once."""

    def __init__(
        self,
        work: Work,
        ledger: Ledger,
        writer: StoreWriter,
        token: CancellationToken,
        name: str,
        is_stopped: Callable[[], bool],
    ) -> None:
        super().__init__(work, writer, token, f"{name}:")
        self._ledger = ledger
        self._asked = is_stopped
        self._idle: list[Worker] = []

    def do(self, ticket: Ticket) -> Answer:
        """Do the tasks of a ticket; what they put is durable when the launch is over."""
        worker = self._idle.pop() if self._idle else self._worker(self._ledger)
        begun = time.monotonic()
        try:
            ended = self._do(worker, ticket)
        finally:
            self._idle.append(worker)
        return Answer(ended, time.monotonic() - begun, told=True)

    def _is_stopped(self) -> bool:
        return self._asked()


class RemoteSession(Session):
    """A launch in another process, which has its plan from the store, and a segment of its own.

    ``since`` is when it was used last, in seconds of the monotonic clock; ``users`` how
    many chunks are being done.
    """

    def __init__(self, address: Address) -> None:
        store = pickle.loads(address.store).open()  # noqa: S301  from the process that submitted this
        if address.payload is None:
            raise RuntimeError("a pool of threads has called another process")
        parcel = fetch_parcel(store, address.payload)
        self._main = parcel.surroundings.main
        self._plan, metrics, retry, limits = parcel.open()
        work = Work(
            plan=self._plan,
            store=store,
            launch=address.launch,
            manifest=address.manifest,
            derived_metrics=metrics,
            retry=retry,
            limits=limits,
        )
        writer = store.writer(address.launch, f"p{os.getpid()}", executor=address.executor)
        writer.attend()
        super().__init__(work, writer, CancellationToken(), f"{address.executor}:{os.getpid()}.")
        self._idle: list[tuple[Worker, Testimony]] = []
        self._log: RunLog | None = None
        self.users = 0
        self.since = time.monotonic()

    def do(self, ticket: Ticket) -> Answer:
        """Do the tasks of a ticket, and return once all they put is durable."""
        function = self._plan.experiment.operation.function
        # Chunks of several scripts may take turns in this process.
        adopt_main(self._main, function.__globals__ if function.__module__ == "__main__" else None)
        if any(task.flags & CAREFUL and self._is_repeat(task) for task in ticket.tasks):
            return Answer(is_repeat=True)
        begun = time.monotonic()
        with self._lent() as (worker, testimony):
            testimony.heard = ticket.heard
            try:
                ended = self._do(worker, ticket)
                self._writer.flush()
            except Exception as error:  # noqa: BLE001  the launch's, not the run's: raised where the user waits
                return Answer(refused=described(error))
            return Answer(ended, time.monotonic() - begun, testimony.take())

    @contextmanager
    def _lent(self) -> Iterator[tuple[Worker, Testimony]]:
        try:
            pair = self._idle.pop()  # a lock of its own
        except IndexError:
            testimony = Testimony()
            pair = self._worker(testimony), testimony
        try:
            yield pair
        finally:
            pair[1].take()
            self._idle.append(pair)

    def close(self) -> None:
        """Close its segment."""
        self._writer.close()

    def _is_repeat(self, task: Task) -> bool:
        """Tell whether that very attempt was begun already: some pools call again for the dead."""
        with self._lock:
            self._log = self._work.store.read(self._log)
        state = self._log.state(self._work.plan.ids.at(task.run))
        return state is not None and (state.epoch, state.attempt) == (task.epoch, task.attempt)
