"""An executor that takes a run that raised for one that returned nothing."""

from __future__ import annotations

from right import RightContract, RightExecutor, executed_by

from metalab.execution.outcome import Outcome
from metalab.execution.worker import Worker
from metalab.records import Status


class WrongWorker(Worker):
    def _call(self, run, capture, doom):
        super()._call(run, capture, doom)
        return Outcome(Status.SUCCESS), None


class WrongExecutor(RightExecutor):
    submission = executed_by(WrongWorker)


class TestWrong(RightContract):
    kind = WrongExecutor
