"""An executor of a third party that is right, of which the wrong ones differ in one respect."""

from __future__ import annotations

import threading

import pytest

import metalab
from metalab.execution.base import Executor
from metalab.execution.local import LocalSubmission
from metalab.execution.worker import Worker, deriver_of
from metalab.testing.executor import ExecutorContract


class RightSubmission(LocalSubmission):
    """Has its runs executed by a kind of worker."""

    worker = Worker

    def _worker(self, name):
        if name not in self._workers:
            deriver = deriver_of(self._batch, self._writer)
            self._workers[name] = self.worker(
                self._batch, self._batch.ledger, self._writer, self._token, name, deriver
            )
        return self._workers[name]


def executed_by(worker):
    """Return the kind of submission whose runs are executed by a kind of worker."""
    return type("WorkerSubmission", (RightSubmission,), {"worker": worker})


class RightExecutor(Executor):
    """Executes each batch on ``workers`` threads of its own."""

    name = "right"
    jobs_option = "workers"
    submission = RightSubmission

    def __init__(self, workers=2):
        self.workers = workers
        self.is_closed = False
        self.submissions = []

    def submit(self, batch):
        if self.is_closed:
            raise RuntimeError(f"this {type(self).__name__} was shut down")
        submission = self.submission(batch, self.name)
        self.submissions.append(submission)
        for number in range(self.workers):
            threading.Thread(target=submission.serve, args=(str(number),), daemon=True).start()
        submission.close_if_over()
        return submission

    def shutdown(self, *, wait=True):
        self.is_closed = True
        for submission in self.submissions if wait else ():
            submission.wait()


SOON = 8.0
"""Seconds after which what hangs is given up; on a slow machine a launch needs some to begin."""


class RightContract(ExecutorContract):
    """The contract, for executors that are like it but for one thing."""

    can_kill = is_detached = has_own_processes = False
    patience = 20.0
    kind = RightExecutor

    @pytest.fixture
    def executor(self):
        with self.kind() as made:
            yield made


@metalab.hookimpl
def metalab_make_executor(options):
    return RightExecutor(**options)


@metalab.hookimpl
def metalab_executor_class():
    return RightExecutor
