"""One batch on its way through a pool.

A thread of its own claims runs, gives them to the pool in chunks, and takes what comes back.
"""

from __future__ import annotations

import os
import pickle
import secrets
import threading
from collections import deque
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import attrs

from metalab.errors import ExperimentFailedError
from metalab.execution.base import Submission
from metalab.execution.futures.aftermath import Aftermath
from metalab.execution.futures.dealing import Dealer
from metalab.execution.futures.pace import Pace
from metalab.execution.futures.remote import SESSIONS, serve
from metalab.execution.futures.session import LocalSession
from metalab.execution.futures.ticket import Address, Answer, Ticket
from metalab.execution.refusal import described, refusal
from metalab.execution.sharing import Share
from metalab.execution.task import BACKFILL
from metalab.execution.wire import from_wire
from metalab.execution.worker import Worker
from metalab.records import Status
from metalab.runtime import CancellationToken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor as Pool, Future

    from metalab.execution.base import Batch
    from metalab.execution.futures.dealing import Chunk
    from metalab.execution.task import Task
    from metalab.execution.worker import Ended

__all__ = ["FuturesSubmission"]

_SECONDS = 2.0  # after which a chunk begins nothing further, however short its runs were thought
_SHORTEST, _LONGEST = 0.05, 1.0
_MOST_FAILURES = 3  # of chunks, times as many as are kept in the pool, without one that was done
_UNABLE = (ImportError, AttributeError, TypeError, pickle.PickleError)


class FuturesSubmission(Submission):
    """Keeps up to ``workers`` chunks of a batch in a pool, and a few more that wait there.

    ``payload`` names the batch's plan in the store, None where the pool is of this process.
    """

    def __init__(
        self, batch: Batch, pool: Pool, workers: int, executor: str, payload: str | None
    ) -> None:
        self._batch = batch
        self._pool = pool
        self._workers = workers
        self._most = workers + 2 + workers // 8
        self._is_here = payload is None
        self._writer = batch.store.writer(batch.launch, "submitter", executor=executor)
        self._writer.attend()
        self._share = Share(batch, self._writer)
        self._token = CancellationToken()
        clerk = Worker(batch, batch.ledger, self._writer, self._token, f"{executor}:submitter")
        self._pace = Pace(workers)
        self._dealer = Dealer(batch, self._share, self._pace, clerk)
        self._aftermath = Aftermath(batch, self._share, self._writer, clerk, executor)
        self._address = Address(
            token=secrets.token_hex(16),
            store=b"" if payload is None else batch.store.config.pickled(),
            payload=payload,
            launch=batch.launch,
            manifest=batch.manifest,
            executor=executor,
        )
        self._changed = threading.Condition()
        self._flying: dict[Future[Answer], Chunk] = {}
        self._landed: deque[Future[Answer]] = deque()
        self._shown = 0
        self._failures = 0
        self._pause = _SHORTEST
        self._stopped = self._cancelled = False
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._pid = os.getpid()
        session = LocalSession(
            batch, batch.ledger, self._writer, self._token, executor, lambda: self._stopped
        )
        SESSIONS.add(self._address.token, session)
        # Here, and not on the thread: a pool may start processes at the first call, and forks.
        self._turn()
        threading.Thread(target=self._run, name="metalab-launch", daemon=True).start()

    # As a Submission.

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the last record is durable; RuntimeError in a forked child."""
        self._check_process(self._pid)
        return self._done.wait(timeout)

    def cancel(self) -> None:
        """Begin no further chunk, and ask the operations that run in this process to stop."""
        self._cancelled = True
        self._stop()
        self._token.cancel()

    def error(self) -> BaseException | None:
        """Return what stopped the batch, if that was no run's own failure."""
        return self._error

    def secure(self) -> None:
        """Make durable what was finished in this process; elsewhere it is already."""
        self.cancel()
        self._writer.close()

    # What any thread may call.

    def _stop(self) -> None:
        self._share.stop()
        with self._changed:
            self._stopped = True
            flying = list(self._flying)
            self._changed.notify_all()
        for future in flying:
            future.cancel()

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._stop()

    def _land(self, future: Future[Answer]) -> None:
        with self._changed:
            self._landed.append(future)
            self._changed.notify_all()

    # The launch's own thread.

    def _run(self) -> None:
        while not self._is_over():
            self._rest()
            self._turn()
        self._close()

    def _turn(self) -> None:
        try:
            while self._landed:
                self._take(self._landed.popleft())
            while not self._stopped and len(self._flying) < self._most and self._send_next():
                self._pause = _SHORTEST
        except BaseException as error:  # noqa: BLE001  result() raises it where the user waits
            self._fail(error)

    def _is_over(self) -> bool:
        return not self._flying and (self._stopped or self._dealer.is_done)

    def _rest(self) -> None:
        """Wait until there is something to do."""
        with self._changed:
            if self._landed or not (self._stopped or self._flying or not self._dealer.is_done):
                return
            if self._stopped or len(self._flying) >= self._most or self._dealer.is_done:
                if self._flying:
                    self._changed.wait()
                return
            self._changed.wait(self._share.patience(self._pause))
            self._pause = min(2 * self._pause, _LONGEST)

    # Sending.

    def _send_next(self) -> bool:
        chunk = self._dealer.next(idle=not self._flying)
        if chunk is None or self._stopped:
            self._dealer.give_back(chunk.tasks if chunk else ())
            return False
        ticket = Ticket(
            address=self._address,
            tasks=chunk.tasks,
            heard=self._batch.ledger.heard,
            ends_at_failure=self._batch.failures.limit is not None,
            seconds=_SECONDS,
        )
        try:
            future = self._pool.submit(serve, ticket)
        except Exception as error:  # noqa: BLE001  a pool that takes no work says so in its own way
            self._dealer.give_back(chunk.tasks)
            self._fail(self._lost_pool(error))
            return False
        with self._changed:
            self._flying[future] = self._show(chunk)
        future.add_done_callback(self._land)
        if self._stopped:
            future.cancel()
        return True

    def _show(self, chunk: Chunk) -> Chunk:
        """Count the first run of a chunk as running, if a worker may have it now."""
        if self._is_here or self._shown >= self._workers or chunk.tasks[0].flags & BACKFILL:
            return chunk
        self._shown += 1
        self._batch.ledger.begun([chunk.tasks[0].run])
        return attrs.evolve(chunk, shown=True)

    # Taking.

    def _take(self, future: Future[Answer]) -> None:
        with self._changed:
            chunk = self._flying.pop(future)
        if chunk.shown:  # what it has really begun is counted below
            self._shown -= 1
            self._batch.ledger.reopened(chunk.tasks[0].run)
        try:
            answer = future.result()
        except CancelledError:
            self._dealer.give_back(chunk.tasks)
        except BaseException as error:  # noqa: BLE001  whatever a pool raises, the chunk is unknown
            self._lose(chunk, error)
        else:
            self._settle(chunk, answer)

    def _settle(self, chunk: Chunk, answer: Answer) -> None:
        if not isinstance(answer, Answer):
            raise TypeError(
                f"a future of {type(self._pool).__name__} has ended with {answer!r}; it has to end "
                "with what the function returned that was given to submit(), or with an error"
            )
        if answer.is_repeat:
            self._examine(attrs.evolve(chunk, alone=True), "the pool has executed it again")
            return
        ended = list(zip(chunk.tasks, answer.ended, strict=False))
        self._dealer.give_back(chunk.tasks[len(ended) :])
        if not answer.told:
            self._count(ended)
        for event in answer.events:
            self._batch.ledger.tell(from_wire(event))
        for task, end in ended:
            if end is not None and end.again:
                attempt = task.as_try()
                delay = self._batch.retry.delay(attempt.tries)
                self._share.again(task.run, attempt.next(), delay)
        self._heed(sum(end is not None and _has_failed(end) for _, end in ended))
        self._pace.note(len(ended), answer.seconds)
        self._failures = 0
        if answer.refused is not None:
            self._fail(refusal(self._batch.plan.experiment_id, answer.refused))

    def _count(self, ended: Sequence[tuple[Task, Ended | None]]) -> None:
        by_status: dict[Status, list[int]] = {}
        runs = [(task.run, end) for task, end in ended if end is not None]
        self._batch.ledger.begun([run for run, _ in runs])
        for run, end in runs:
            if end.again:
                self._batch.ledger.reopened(run)
            else:
                by_status.setdefault(end.status, []).append(run)
        for status, indices in by_status.items():
            self._batch.ledger.ended(status, indices)

    def _heed(self, failed: int) -> None:
        for _ in range(failed):
            if self._batch.failures.failed():
                self._stop()

    def _lose(self, chunk: Chunk, error: BaseException) -> None:
        """Find out what has become of a chunk for which the pool has raised something."""
        if isinstance(error, _UNABLE):
            self._dealer.give_back(chunk.tasks)
            self._fail(refusal(self._batch.plan.experiment_id, described(error)))
            return
        self._examine(chunk, _said(error))
        self._failures += not chunk.alone
        if self._failures >= _MOST_FAILURES * self._most and not self._cancelled:
            self._fail(self._lost_pool(error))

    def _examine(self, chunk: Chunk, cause: str) -> None:
        before = self._aftermath.failed
        self._aftermath.examine(chunk, self._dealer, cause, blame=not self._cancelled)
        self._heed(self._aftermath.failed - before)

    def _lost_pool(self, error: BaseException) -> ExperimentFailedError:
        lost = ExperimentFailedError(
            f"the pool ({type(self._pool).__name__}) executes nothing any more: "
            f"{_said(error)}; all that was finished is kept: run the experiment "
            "again with a new pool, and it goes on from there"
        )
        lost.__cause__ = error
        return lost

    def _close(self) -> None:
        try:
            self._dealer.leave()
            self._share.release()
            self._writer.close()
        except BaseException as error:  # noqa: BLE001  as in _turn
            self._error = self._error or error
        finally:
            self._share.stop()
            SESSIONS.remove(self._address.token)
            self._batch.ledger.finish()
            self._done.set()


def _said(error: BaseException) -> str:
    """Return what an error says first: some pools add paragraphs of advice."""
    first, _, _ = str(error).partition("\n")
    return f"{type(error).__name__}: {first.rstrip('. ')}"


def _has_failed(end: Ended) -> bool:
    return end.status is Status.FAILED and not end.again
