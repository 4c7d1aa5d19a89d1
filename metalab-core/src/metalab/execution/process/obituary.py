"""What is written of the runs whose worker process died, and who is told."""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Any

from metalab.execution.ledger import ending
from metalab.execution.outcome import Outcome
from metalab.execution.process.death import LEFT, TIMEOUT
from metalab.execution.wire import from_wire
from metalab.execution.worker import Worker
from metalab.records import Status
from metalab.runtime import CancellationToken
from metalab.store.causes import Cause
from metalab.store.document import record_in, record_of
from metalab.store.reading import Loss

if TYPE_CHECKING:
    from metalab.errors import MetalabError
    from metalab.execution.base import Batch
    from metalab.execution.inheritance import Try
    from metalab.execution.process.death import Death
    from metalab.execution.sharing import Share
    from metalab.records import RunRecord
    from metalab.store.base import StoreWriter

__all__ = ["Obituary"]

_LAST_LINES = 20


class Obituary:
    """Writes of the dead with the writer of their launch; to be used by one thread."""

    def __init__(self, batch: Batch, share: Share, writer: StoreWriter, label: str) -> None:
        self._batch = batch
        self._share = share
        self._writer = writer
        self._label = label
        self._log = batch.log

    @cached_property
    def _clerk(self) -> Worker:
        # Only where a run has to be described that nobody executes: that opens a sealed plan.
        name = f"{self._label}:supervisor"
        return Worker(self._batch, self._batch.ledger, self._writer, CancellationToken(), name)

    def tell(self, event: list[Any]) -> None:
        """Tell those who listen of an event that a worker has sent."""
        self._batch.ledger.tell(from_wire(event))

    def refuse(self, index: int, attempt: Try) -> None:
        """Record a run as failed that is not executed, since it has killed too often."""
        self._clerk.execute(self._batch.plan[index], attempt)

    def secure(self, death: Death) -> None:
        """Make durable what a worker had put when it died, and tell of its runs."""
        self._batch.store.secure(death.writer)
        heard = [each for each in death.orphans if self._batch.ledger.hears(each.status)]
        if heard:
            self._log = log = self._batch.store.read(self._log)
            for each in heard:
                line = next(log.lines([self._batch.plan.ids.at(each.task.run)]))
                self._batch.ledger.tell(ending(record_of(line)))

    def conclude(self, index: int, attempt: Try, death: Death) -> bool:
        """Have a run tried again that was under way as its worker died, or record its end.

        True if the launch is to take no further runs after it.
        """
        if (record := self._record_put(index, attempt)) is not None:
            self._accept(index, record, death)
            return False
        batch, limit = self._batch, self._batch.limits.timeout
        if death.verdict == TIMEOUT and (limit is None or death.seconds < limit):
            # It had just begun when the one before it, perhaps another launch's, was to be ended.
            batch.ledger.reopened(index)
            self._share.give_back([index])
            return False
        error = death.error(limit, attempt.tries, batch.retry.max_attempts)
        spec = batch.plan[index]
        again = death.verdict != LEFT and batch.retry.allows(type(error), attempt.tries)
        outcome = self._outcome(error, death, spec.run_id, attempt)
        worker = f"{self._label}:{death.worker}"
        record = self._clerk.conclude(spec, attempt, outcome, death.seconds, worker)
        if not again:
            self._writer.put(record, batch.ledger.acknowledgement(record))
            return record.status is Status.FAILED and batch.failures.failed()
        record = record.to_be_retried()
        self._writer.put(record)
        if death.verdict != TIMEOUT:
            # Launches count deaths together; of this one the record says how it came about.
            loss = Loss(attempt.epoch, attempt.attempt, death.writer, Cause.KILLED)
            self._writer.put_loss(spec.run_id, loss)
        batch.ledger.retried(record)
        careful = death.verdict != TIMEOUT
        delay = batch.retry.delay(attempt.tries)
        self._share.again(index, attempt.next(careful=careful), delay)
        return False

    def _record_put(self, index: int, attempt: Try) -> RunRecord | None:
        """Return the record of an attempt that had ended before its worker died, if it had."""
        self._log = log = self._batch.store.read(self._log)
        run_id = self._batch.plan.ids.at(index)
        state = log.state(run_id)
        if state is None or (state.epoch, state.attempt) != (attempt.epoch, attempt.attempt):
            return None
        if state.status in {Status.RUNNING, Status.FAILED}:  # one that failed may be tried again
            return None
        return record_in(log, run_id)

    def _accept(self, index: int, record: RunRecord, death: Death) -> None:
        """Count a run that had ended, whose worker died over what comes after that."""
        if not death.is_settled:
            self._batch.store.secure(death.writer)
            if self._batch.ledger.hears(record.status):
                self._batch.ledger.tell(ending(record))
        self._batch.ledger.ended(record.status, [index])

    def _outcome(self, error: MetalabError, death: Death, run_id: str, attempt: Try) -> Outcome:
        log = self._last_lines(death.writer, run_id, attempt)
        parts = [death.words, f"The last lines of its log:\n{log}" if log else ""]
        status = Status.CANCELLED if death.verdict == LEFT else Status.FAILED
        return Outcome(
            status,
            {
                "type": type(error).__name__,
                "message": str(error),
                "traceback": "\n\n".join(filter(None, parts)),
            },
        )

    def _last_lines(self, writer: str, run_id: str, attempt: Try) -> str:
        wanted = (run_id, attempt.epoch, attempt.attempt)
        lines = deque[str](maxlen=_LAST_LINES)
        for line in self._batch.store.logs().get(writer, ()):
            if (line.run_id, line.epoch, line.attempt) == wanted:
                lines.append(line.text)
        return "\n".join(lines)
