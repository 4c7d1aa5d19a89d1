"""An executor that takes a run which calls sys.exit() for one that has ended well."""

from __future__ import annotations

from right import RightContract, RightExecutor, executed_by

from metalab.execution.outcome import Outcome
from metalab.execution.worker import Worker
from metalab.records import Status


class WrongWorker(Worker):
    def _call(self, run, capture, doom):
        outcome, raised = super()._call(run, capture, doom)
        return (Outcome(Status.SUCCESS), None) if raised is SystemExit else (outcome, raised)


class WrongExecutor(RightExecutor):
    submission = executed_by(WrongWorker)


class TestWrong(RightContract):
    kind = WrongExecutor
