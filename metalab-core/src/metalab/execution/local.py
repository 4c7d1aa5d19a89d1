"""A batch executed within this process, by one thread or by several."""

from __future__ import annotations

import os
import threading
from itertools import count
from typing import TYPE_CHECKING

from metalab.execution.base import Submission
from metalab.execution.sharing import Share
from metalab.execution.worker import Worker, deriver_of
from metalab.records import Status
from metalab.runtime import CancellationToken

if TYPE_CHECKING:
    from metalab.execution.base import Batch

__all__ = ["LocalSubmission"]


class LocalSubmission(Submission):
    """Deals out the runs of a batch to the threads that ask, and closes it after the last.

    All threads share one writer, so a process adds one segment to the store.
    """

    def __init__(self, batch: Batch, executor: str) -> None:
        self._batch = batch
        self._executor = executor
        self._writer = batch.store.writer(batch.launch, executor=executor)
        self._workers: dict[str, Worker] = {}
        self._writer.attend()
        self._share = Share(batch, self._writer)
        self._token = CancellationToken()
        self._lock = threading.Lock()
        self._positions = count()
        self._is_dealt_out = not (batch.pending or batch.underived)
        self._working = 0
        self._stopped = False
        self._closing = False
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._pid = os.getpid()

    def serve(self, worker: str) -> None:
        """Do tasks until there are none, in the calling thread; ``worker`` names it.

        What breaks the batch is kept as its error, which ``result()`` raises.
        """
        with self._lock:
            if self._closing:
                return
            self._working += 1
        try:
            hand = self._worker(f"{self._executor}:{worker}")
            while not self._stopped and self._do_next(hand):
                pass
        except BaseException as error:  # noqa: BLE001  result() raises it where the user waits
            self._fail(error)
        finally:
            with self._lock:
                self._working -= 1
            self.close_if_over()

    @property
    def has_tasks(self) -> bool:
        """Whether a further thread may find something to do."""
        return not (self._stopped or self._is_dealt_out)

    def _do_next(self, hand: Worker) -> bool:
        index = self._share.next()
        if index is not None:
            self._execute(hand, index)
            return True
        elsewhere = self._share.next_elsewhere()
        if elsewhere is not None:
            hand.backfill(elsewhere)
            return True
        # A count is a lock of its own: no two threads are dealt the same position.
        position = next(self._positions)
        if position < len(self._batch.underived):
            hand.backfill(self._batch.underived[position])
            return True
        self._is_dealt_out = True
        return False

    def _execute(self, hand: Worker, index: int) -> None:
        spec = self._batch.plan[index]
        attempt = self._share.attempt(spec.run_id)
        ended = hand.execute(spec, attempt)
        if ended.again:
            self._share.again(index, attempt.next(), self._batch.retry.delay(attempt.tries))
        elif ended.status is Status.FAILED and self._batch.failures.failed():
            self.stop()

    def close_if_over(self) -> None:
        """Close the batch if nothing is left to take and nobody works on it."""
        with self._lock:
            if self._working or self._closing or self.has_tasks:
                return
            self._closing = True
        try:
            for worker in self._workers.values():
                worker.finish()
            self._share.release()
            self._writer.close()
        except BaseException as error:  # noqa: BLE001  result() raises it where the user waits
            self._fail(error)
        finally:
            self._share.stop()
            self._batch.ledger.finish()
            self._done.set()

    def stop(self) -> None:
        """Deal out no further task; runs under way are finished."""
        with self._lock:
            self._stopped = True
        self._share.stop()

    def cancel(self) -> None:
        """Deal out no further task and ask the operations under way to stop."""
        self.stop()
        self._token.cancel()
        self.close_if_over()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the last record is durable; RuntimeError in a forked child."""
        self._check_process(self._pid)
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
            deriver = deriver_of(self._batch, self._writer)
            self._workers[name] = Worker(
                self._batch, self._batch.ledger, self._writer, self._token, name, deriver
            )
        return self._workers[name]

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error
            self._stopped = True
        self._share.stop()
