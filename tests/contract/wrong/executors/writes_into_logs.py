"""An executor whose workers note what they do in the logs of the runs."""

from __future__ import annotations

from right import RightContract, RightExecutor, executed_by

from metalab.execution.worker import Worker


class WrongWorker(Worker):
    def _call(self, run, capture, doom):
        with capture:
            capture.log("the worker takes the next run")
            return super()._call(run, capture, doom)


class WrongExecutor(RightExecutor):
    submission = executed_by(WrongWorker)


class TestWrong(RightContract):
    kind = WrongExecutor
