"""An executor whose workers note what they do in the logs of the runs."""

from __future__ import annotations

from right import RightContract, RightExecutor

from metalab.execution.local import LocalSubmission
from metalab.execution.worker import Worker


class WrongWorker(Worker):
    def _call(self, run, capture, doom):
        with capture:
            capture.log("the worker takes the next run")
            return super()._call(run, capture, doom)


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
