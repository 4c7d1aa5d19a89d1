"""Inheritance: what other launches have made, or left, of the runs of a batch.

A run that another launch brought to an end counts as ended. One whose worker died is
recorded as lost and tried again, at most a few times: a run that kills whatever executes it
is recorded as failed instead.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from metalab.execution.doom import Doom, causes_by_attempt, lost_in_a_row
from metalab.execution.news import is_news
from metalab.records import Status
from metalab.store.causes import Cause, cause_of
from metalab.store.document import record_in, record_of
from metalab.store.reading import Loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from metalab.execution.base import Batch
    from metalab.store.base import RunLog, RunState, StoreWriter

__all__ = ["Inheritance", "Try"]

_LOG = logging.getLogger(__name__)
_decode = msgspec.json.Decoder().decode


@attrs.frozen
class Try:
    """One attempt at a run, before it begins.

    ``tries`` counts the attempts of the present launch, this one included. ``careful`` says
    that it must be on record before the operation is called, since it may kill this process;
    ``doom`` why it is not called at all.
    """

    epoch: int = 0
    attempt: int = 1
    tries: int = 1
    careful: bool = False
    doom: Doom | None = None

    def next(self, *, careful: bool = False) -> Try:
        """Return the attempt that follows this one in the same launch."""
        return Try(self.epoch, self.attempt + 1, self.tries + 1, careful or self.careful)


_FIRST = Try()


class Inheritance:
    """Knows how each run of a batch stands in the store; to be used by one thread at a time.

    ``succeeded`` are the indices of runs that succeeded in other launches meanwhile.
    """

    def __init__(self, batch: Batch, writer: StoreWriter) -> None:
        self._batch = batch
        self._writer = writer
        self._log: RunLog | None = batch.log
        self._tries: dict[str, Try] = {}
        self._beyond: set[str] = set()  # what is left to others
        self._told_of_code = False
        self.succeeded: deque[int] = deque()

    @property
    def is_fresh(self) -> bool:
        """Whether nothing is known of any earlier attempt."""
        return not (self._tries or self._batch.tries)

    def attempt(self, run_id: str) -> Try:
        """Return as which attempt, and how, a run is executed next."""
        known = self._tries.get(run_id)
        if known is not None:
            return known
        planned = self._batch.tries.get(run_id)
        return _FIRST if planned is None else Try(*planned)

    def allows(self, index: int) -> bool:
        """Tell whether a run that was inherited may be tried here, after the deaths it has had."""
        return self._batch.plan.ids[index] not in self._beyond

    def again(self, run_id: str, attempt: Try) -> None:
        """Note as which attempt a run is executed next."""
        self._tries[run_id] = attempt

    def refresh(self) -> RunLog:
        """Read what is new in the store."""
        self._log = self._batch.store.read(self._log)
        return self._log

    def unsettled(self, indices: Iterable[int]) -> list[int]:
        """Return those runs that nobody has brought to an end; the others count as ended now."""
        if self._log is None:
            return list(indices)
        left = []
        for index in indices:
            run_id = self._batch.plan.ids[index]
            state = self._log.state(run_id)
            if state is None or not self._is_settled(self._log, run_id, state):
                left.append(index)
            else:
                self._tell_of_code(state)
                if state.status is Status.SUCCESS and not self._batch.is_shared:
                    self.succeeded.append(index)
                self._batch.ledger.elsewhere(
                    index, state.status, partial(record_in, self._log, run_id)
                )
        return left

    def _tell_of_code(self, state: RunState) -> None:
        if state.code in {"", self._batch.plan.code.hash} or self._told_of_code:
            return
        self._told_of_code = True
        _LOG.warning(
            "%s: another launch executes runs with other code; they are kept, and the next "
            "launch decides about them by on_code_change",
            self._batch.plan.experiment_id,
        )

    def inherit(self, indices: Iterable[int], *, careful: bool) -> None:
        """Settle how runs are tried that others may have begun."""
        for index in indices:
            run_id = self._batch.plan.ids[index]
            place = self._batch.tries.get(run_id, (0, 1))
            log = self._log
            state = None if log is None else log.state(run_id)
            if log is not None and (state is not None or log.losses(run_id)):
                self._tries[run_id] = self._retry(log, run_id, place, state, careful=careful)
            elif careful:
                self._tries[run_id] = Try(*place, careful=True)

    def _is_settled(self, log: RunLog, run_id: str, state: RunState) -> bool:
        if state.status in {Status.RUNNING, Status.CANCELLED}:
            return False
        if state.status is Status.FAILED and record_in(log, run_id).is_to_be_retried:
            return False
        return is_news(self._batch, run_id, state.status, state.epoch, state.attempt)

    def _retry(
        self,
        log: RunLog,
        run_id: str,
        place: tuple[int, int],
        state: RunState | None,
        *,
        careful: bool,
    ) -> Try:
        if state is not None:
            place = max(place, (state.epoch, state.attempt + 1))
        epoch, attempt = place
        losses = [loss for loss in log.losses(run_id) if loss.epoch == epoch]
        # Of an attempt that was short there may be no record but that it was lost.
        attempt = max([attempt, *(loss.attempt + 1 for loss in losses)])
        running = state is not None and state.status is Status.RUNNING
        if (
            state is not None
            and running
            and state.attempt not in {each.attempt for each in losses}
            and (loss := self._bury(log, run_id, state))
        ):
            losses.append(loss)
        self._weigh(run_id, losses)
        doom = self._doom(log, run_id, epoch, losses)
        return Try(epoch, attempt, careful=careful or bool(losses), doom=doom)

    def _weigh(self, run_id: str, losses: Sequence[Loss]) -> None:
        """See whether a run has died more often of something than is allowed here."""
        deaths = Counter(causes_by_attempt(losses).values())
        if any(deaths[cause_of(cause)] > most for cause, most in self._batch.allowance.items()):
            self._beyond.add(run_id)

    def _bury(self, log: RunLog, run_id: str, state: RunState) -> Loss | None:
        """Record that the attempt under way is lost, if its writer has died."""
        writer = _decode(next(log.lines([run_id]))).get("writer", "")
        ending = self._batch.store.ending(writer)
        if ending is None or ending.closed:
            return None
        loss = Loss(state.epoch, state.attempt, writer, self._cause(run_id, state, ending.cause))
        self._writer.put_loss(run_id, loss)
        return loss

    def _cause(self, run_id: str, state: RunState, cause: str) -> str:
        """Return what is to be said of an attempt whose writer ended so."""
        if cause != Cause.TIMEOUT:
            return cause
        has_saved = self._batch.store.has_checkpoint(run_id, state.epoch, state.attempt)
        return Cause.PAUSED if has_saved else cause

    def _doom(self, log: RunLog, run_id: str, epoch: int, losses: Sequence[Loss]) -> Doom | None:
        """Say why a run is not tried again, if attempts at it were lost too often in a row."""
        row = lost_in_a_row(losses, partial(_ended, log, run_id, epoch), self._batch.attempts)
        if row is None:
            return None
        last = epoch, max(row)
        # Who tells of a loss need not be who executed the run, and its start has its writer.
        lines = [_decode(line) for line in log.attempts(run_id)]
        lines = [line for line in lines if (line["epoch"], line["attempt"]) == last]
        writers = [line["writer"] for line in lines]
        writers += [loss.writer for loss in losses if (loss.epoch, loss.attempt) == last]
        store = self._batch.store
        ending = store.ending(writers[0])
        # One that closed had cut the run itself, and nobody need be asked about it.
        words = ending.words if ending is not None and ending.words else _worker_of(lines)
        return Doom.of(list(row.values()), store.place_of_log(writers[0]), words)


def _worker_of(lines: Sequence[Mapping[str, Any]]) -> str:
    """Say who executed an attempt, where its lines tell."""
    named = ((line.get("provenance") or {}).get("executor") for line in lines)
    worker = next(filter(None, named), None)
    return f"in {worker}" if worker else ""


def _ended(log: RunLog, run_id: str, epoch: int) -> set[int]:
    """Return the attempts of an epoch that have a record of their end."""
    records = map(record_of, log.attempts(run_id))
    return {r.attempt for r in records if r.epoch == epoch and r.status is not Status.RUNNING}
