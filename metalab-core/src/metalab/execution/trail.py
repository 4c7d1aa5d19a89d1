"""The trail of a batch: what others write in the store about its runs, told to its ledger."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from metalab.execution.news import is_news
from metalab.records import RETRIED, Status
from metalab.store.document import record_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.execution.base import Batch
    from metalab.store.base import RunLog

__all__ = ["Trail"]


class _Provenance(msgspec.Struct, gc=False):
    extra: dict[str, Any] | None = None


class _Line(msgspec.Struct, gc=False):
    id: str
    status: str
    index: int = -1
    epoch: int = 0
    attempt: int = 0
    provenance: _Provenance | None = None

    @property
    def has_ended(self) -> bool:
        """Whether no further attempt follows of itself."""
        if self.status in {Status.RUNNING, Status.CANCELLED}:
            return False
        extra = self.provenance.extra if self.provenance is not None else None
        return RETRIED not in (extra or {})


_decode = msgspec.json.Decoder(_Line).decode_lines


class Trail:
    """Follows the runs of a batch that other processes execute; to be used by one thread.

    Each look reads what is new in the store, so that it costs what was written since.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._log: RunLog | None = None
        self._left = len(batch.pending)
        self._is_left = _flags(batch.pending, len(batch.plan))
        self._begun: set[int] = set()
        self._underived: Sequence[int] | None = None
        self._derived_in: RunLog | None = None

    @property
    def left(self) -> int:
        """How many runs have not ended."""
        return self._left

    @property
    def pending(self) -> Sequence[int]:
        """The indices of the runs that have not ended, in plan order."""
        return [index for index in self._batch.pending if self._is_left[index]]

    @property
    def log(self) -> RunLog:
        """What the last look found in the store."""
        if self._log is None:
            raise RuntimeError("nothing was looked at yet")
        return self._log

    def look(self) -> bool:
        """See what has become of the runs, and tell the ledger; False if nothing is new.

        Raises StoreError if the store cannot be read.
        """
        before = self._log
        log = self._batch.store.read(before)
        if log is before:
            return False
        self._log = log
        news = log if before is None else log.changed(before)
        blocks = log.blocks(list(news))
        return sum(self._take(log, line) for block in blocks for line in _decode(block)) > 0

    def underived(self) -> Sequence[int]:
        """Return the indices of the successful runs that lack derived metrics, in plan order.

        As the last look found them; to be asked once all runs have ended, for those of the last
        are computed after that.
        """
        batch, log = self._batch, self._log
        if not batch.derived_metrics or log is None:
            return ()
        if self._derived_in is not log:
            # Most launches derive nothing, and need none of it.
            from metalab.results.derived import lacking  # noqa: PLC0415

            self._derived_in = log
            metrics = batch.derived_metrics
            self._underived = lacking(log, batch.plan.ids, self._candidates(log), metrics)
        return self._underived or ()

    def _candidates(self, log: RunLog) -> Sequence[int]:
        if self._underived is not None:
            return self._underived
        ids = self._batch.plan.ids
        mine = sorted({*self._batch.pending, *self._batch.underived})
        states = zip(mine, log.states([ids.at(index) for index in mine]), strict=True)
        return [n for n, state in states if state is not None and state.status is Status.SUCCESS]

    def _take(self, log: RunLog, line: _Line) -> bool:
        index, ids = line.index, self._batch.plan.ids
        if not 0 <= index < len(ids) or not self._is_left[index] or ids.at(index) != line.id:
            return False
        if not is_news(self._batch, line.id, line.status, line.epoch, line.attempt):
            return False
        ledger, status = self._batch.ledger, Status(line.status)
        if status is Status.RUNNING:
            if index not in self._begun:
                self._begun.add(index)
                ledger.begun([index])
        elif not line.has_ended:
            # It was cut short, or failed and is tried again.
            self._set_back(index)
        else:
            self._is_left[index] = False
            self._left -= 1
            if index not in self._begun:
                ledger.begun([index])
            self._begun.discard(index)
            ledger.ended_elsewhere(index, status, partial(record_in, log, line.id))
        return True

    def _set_back(self, index: int) -> None:
        if index in self._begun:
            self._begun.discard(index)
            self._batch.ledger.reopened(index)


def _flags(indices: Sequence[int], runs: int) -> bytearray:
    """Return one byte for each of so many runs, 1 for those meant: a set is forty times that."""
    if len(indices) == runs:
        return bytearray(b"\1" * runs)
    flags = bytearray(runs)
    for index in indices:
        flags[index] = True
    return flags
