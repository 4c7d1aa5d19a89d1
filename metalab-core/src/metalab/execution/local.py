"""A batch executed within this process, by one thread or by several."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import attrs

from metalab.execution.base import Submission
from metalab.execution.worker import Worker
from metalab.runtime import CancellationToken

if TYPE_CHECKING:
    from metalab.execution.base import Batch

__all__ = ["LocalSubmission"]


@attrs.frozen
class Task:
    """A run to execute, or with ``derives`` one that only lacks derived metrics."""

    index: int
    derives: bool = False


class LocalSubmission(Submission):
    """Deals out the runs of a batch to the threads that ask, and closes it after the last.

    All threads share one writer, so a process adds one segment to the store.
    """

    def __init__(self, batch: Batch, executor: str) -> None:
        self._batch = batch
        self._executor = executor
        self._writer = batch.store.writer(batch.launch, executor=executor)
        self._workers: dict[str, Worker] = {}
        self._token = CancellationToken()
        self._lock = threading.Lock()
        self._dealt = 0
        self._working = 0
        self._stopped = False
        self._closing = False
        self._error: BaseException | None = None
        self._done = threading.Event()

    def work(self, worker: str, task: Task) -> None:
        """Do one task that was taken; what breaks the batch is kept as its error."""
        hand = self._worker(f"{self._executor}:{worker}")
        try:
            if task.derives:
                hand.backfill(task.index)
            elif not hand.execute(task.index):
                self.stop()
        except BaseException as error:  # noqa: BLE001  result() raises it where the user waits
            self._fail(error)
        finally:
            self._leave()

    def take(self) -> Task | None:
        """Return the next task, or None when there is none for anybody any more."""
        with self._lock:
            pending, rest = self._batch.pending, self._batch.underived
            if self._stopped or self._dealt >= len(pending) + len(rest):
                return None
            position = self._dealt
            self._dealt += 1
            self._working += 1
        if position < len(pending):
            return Task(pending[position])
        return Task(rest[position - len(pending)], derives=True)

    def close_if_over(self) -> None:
        """Close the batch if nothing is left to take and nobody works on it."""
        with self._lock:
            left = len(self._batch.pending) + len(self._batch.underived) - self._dealt
            if self._working or self._closing or (left and not self._stopped):
                return
            self._closing = True
        try:
            for worker in self._workers.values():
                worker.finish()
            self._writer.close()
        except BaseException as error:  # noqa: BLE001  result() raises it where the user waits
            self._fail(error)
        finally:
            self._batch.ledger.finish()
            self._done.set()

    def stop(self) -> None:
        """Deal out no further task; runs under way are finished."""
        with self._lock:
            self._stopped = True

    def cancel(self) -> None:
        """Deal out no further task and ask the operations under way to stop."""
        self.stop()
        self._token.cancel()
        self.close_if_over()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the last record is durable."""
        return self._done.wait(timeout)

    def error(self) -> BaseException | None:
        """Return what stopped the batch, if that was no run's own failure."""
        return self._error

    def secure(self) -> None:
        """Close the segment, so that what was finished is durable."""
        self._writer.close()

    def _worker(self, name: str) -> Worker:
        # Only the thread of that name asks, so there is no race for its key.
        if name not in self._workers:
            self._workers[name] = Worker(self._batch, self._writer, self._token, name)
        return self._workers[name]

    def _leave(self) -> None:
        with self._lock:
            self._working -= 1
        self.close_if_over()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error
            self._stopped = True
