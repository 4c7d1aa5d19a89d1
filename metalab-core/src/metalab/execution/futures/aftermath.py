"""The aftermath of a chunk of which a pool cannot say what has become of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs
import msgspec

from metalab.errors import WorkerDiedError
from metalab.execution.ledger import ending
from metalab.execution.outcome import Outcome
from metalab.execution.task import BACKFILL, Task
from metalab.records import Status
from metalab.store.causes import Cause
from metalab.store.document import record_of
from metalab.store.reading import Loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.execution.base import Batch
    from metalab.execution.futures.dealing import Chunk, Dealer
    from metalab.execution.sharing import Share
    from metalab.execution.worker import Worker
    from metalab.store.base import RunLog, StoreWriter

__all__ = ["Aftermath"]

_LOG = logging.getLogger(__name__)
_decode = msgspec.json.Decoder().decode


class Aftermath:
    """Reads in the store what a chunk has left; to be used by one thread.

    ``failed`` counts the runs that it has found to have failed for good.
    """

    def __init__(
        self, batch: Batch, share: Share, writer: StoreWriter, clerk: Worker, executor: str
    ) -> None:
        self._batch = batch
        self._share = share
        self._writer = writer
        self._clerk = clerk
        self._executor = executor
        self._log: RunLog | None = batch.log
        self.failed = 0

    def examine(self, chunk: Chunk, dealer: Dealer, cause: str, *, blame: bool) -> None:
        """Count what is on record, and have the rest executed.

        ``cause`` is what the pool said. With ``blame`` the first run that is not on record may
        have killed its worker; without it, it was not begun or is stopped.
        """
        left = self._unrecorded(chunk.tasks)
        if not (left and blame):
            dealer.give_back(left)
            return
        first, *rest = left
        dealer.give_back(rest)
        if first.flags & BACKFILL:
            _LOG.warning(
                "%s: no derived metrics of run %s: %s",
                self._batch.plan.experiment_id,
                self._batch.plan.ids.at(first.run),
                cause,
            )
        elif chunk.alone:
            self._conclude(first, cause)
        else:
            self._suspect(first, dealer)

    def _unrecorded(self, tasks: Sequence[Task]) -> list[Task]:
        self._log = log = self._batch.store.read(self._log)
        left, ended = list[Task](), dict[Status, list[int]]()
        for task in tasks:
            status = None if task.flags & BACKFILL else self._status(log, task)
            if status is None:
                left.append(task)
            else:
                ended.setdefault(status, []).append(task.run)
        self._count(log, ended)
        return left

    def _status(self, log: RunLog, task: Task) -> Status | None:
        """Return how an attempt has ended, None if it has not."""
        state = log.state(self._batch.plan.ids.at(task.run))
        if state is None or (state.epoch, state.attempt) < (task.epoch, task.attempt):
            return None
        return None if state.status is Status.RUNNING else state.status

    def _count(self, log: RunLog, ended: dict[Status, list[int]]) -> None:
        ids, ledger = self._batch.plan.ids, self._batch.ledger
        indices = [index for each in ended.values() for index in each]
        lines = {index: next(log.lines([ids.at(index)])) for index in indices}
        for writer in {_decode(line).get("writer", "") for line in lines.values()}:
            self._batch.store.secure(writer)
        ledger.begun(indices)
        # A failure that was to be retried counts as one: what it raised is not known any more.
        self.failed += len(ended.get(Status.FAILED, ()))
        for status, those in ended.items():
            ledger.ended(status, those)
            if ledger.hears(status):
                for index in those:
                    ledger.tell(ending(record_of(lines[index])))

    def _suspect(self, task: Task, dealer: Dealer) -> None:
        """Have a run tried again, alone, since it or another one has killed a worker."""
        self._put_loss(task, Cause.BROKEN)
        dealer.suspect(task.run)
        attempt = task.as_try()
        again = attrs.evolve(attempt.next(careful=True), tries=attempt.tries)
        self._share.again(task.run, again)

    def _conclude(self, task: Task, cause: str) -> None:
        """Have a run tried again that has killed its worker, or record its failure."""
        batch, attempt = self._batch, task.as_try()
        tries = f"try {attempt.tries} of {batch.retry.max_attempts}"
        error = WorkerDiedError(f"the process that executed it died ({tries}): {cause}")
        told = {"type": type(error).__name__, "message": str(error), "traceback": ""}
        outcome = Outcome(Status.FAILED, told)
        record = self._clerk.conclude(batch.plan[task.run], attempt, outcome, 0.0, self._executor)
        batch.ledger.begun([task.run])
        if not batch.retry.allows(type(error), attempt.tries):
            self._writer.put(record, batch.ledger.acknowledgement(record))
            self.failed += 1
            return
        self._put_loss(task, Cause.KILLED)
        batch.ledger.retried(record)
        delay = batch.retry.delay(attempt.tries)
        self._share.again(task.run, attempt.next(careful=True), delay)

    def _put_loss(self, task: Task, cause: str) -> None:
        run_id = self._batch.plan.ids.at(task.run)
        loss = Loss(task.epoch, task.attempt, self._writer.name, cause)
        self._writer.put_loss(run_id, loss)
