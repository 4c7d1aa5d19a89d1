"""An executor that records a run as done which it has asked to stop."""

from __future__ import annotations

from right import RightContract, RightExecutor, executed_by

from metalab.execution.outcome import Outcome
from metalab.execution.worker import Worker
from metalab.records import Status


class WrongWorker(Worker):
    def _call(self, run, capture, doom):
        outcome, raised = super()._call(run, capture, doom)
        if outcome.status is Status.CANCELLED:
            return Outcome(Status.SUCCESS), None
        return outcome, raised


class WrongExecutor(RightExecutor):
    submission = executed_by(WrongWorker)


class TestWrong(RightContract):
    kind = WrongExecutor
