"""An executor that takes a run that raised for one that returned nothing."""

from __future__ import annotations

from right import RightContract, RightExecutor

from metalab.execution.local import LocalSubmission
from metalab.execution.outcome import Outcome
from metalab.execution.worker import Worker
from metalab.records import Status


class WrongWorker(Worker):
    def _call(self, run, capture, doom):
        super()._call(run, capture, doom)
        return Outcome(Status.SUCCESS), None


class WrongSubmission(LocalSubmission):
    def _worker(self, name):
        if name not in self._workers:
            self._workers[name] = WrongWorker(
                self._batch, self._batch.ledger, self._writer, self._token, name
            )
        return self._workers[name]


class WrongExecutor(RightExecutor):
    submission = WrongSubmission


class TestWrong(RightContract):
    kind = WrongExecutor
