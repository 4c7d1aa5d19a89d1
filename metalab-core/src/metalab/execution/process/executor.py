"""The process executor: runs side by side in processes of their own."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary, finalize

from metalab.errors import MetalabError
from metalab.execution.base import Executor, Submission
from metalab.execution.cpus import usable_cpus, worker_count
from metalab.execution.payload import packed
from metalab.execution.process.host import has_processes
from metalab.execution.process.station import Station
from metalab.execution.process.submission import ProcessSubmission
from metalab.execution.process.supervisor import Supervisor
from metalab.hookspecs import hookimpl
from metalab.plugins import read_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metalab.execution.base import Batch
    from metalab.execution.policy import Limits, Retry
    from metalab.planning import Plan
    from metalab.results.derived import DerivedMetric

__all__ = ["ProcessExecutor", "metalab_executor_class", "metalab_make_executor"]

_AGAIN = 0.1


class ProcessExecutor(Executor):
    """Executes runs in up to ``max_workers`` processes, shared by all batches it is given.

    ``max_workers`` is the number of CPUs this process may use by default. Workers are fresh
    interpreters that never run the script anew; they are started as there is work, and kept
    for a minute without any. A worker that dies costs its run an attempt, and nothing else.
    Numerical libraries get as many threads in each worker as CPUs are left to it, unless the
    environment says otherwise. Raises ValueError for fewer than one worker, TypeError for
    what is no whole number, MetalabError where the platform lacks what it needs.
    """

    name = "process"
    can_kill = True
    jobs_option = "max_workers"

    def __init__(self, max_workers: int | None = None) -> None:
        self.max_workers = worker_count(max_workers)
        if not has_processes():
            raise MetalabError(
                "the process executor needs a POSIX system; use executor='thread' here"
            )
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._supervisor = Supervisor(self.max_workers, max(1, usable_cpus() // self.max_workers))
        self._end = finalize(self, self._supervisor.close)
        self._end.atexit = False  # the workers end with the process
        # Between admit and submit; a launch that is refused in between drops its plan.
        self._payloads: WeakKeyDictionary[Plan, bytes] = WeakKeyDictionary()
        self._submissions: list[ProcessSubmission] = []

    def start(self) -> Self:
        """Start all workers now, and return when they are ready for work.

        Raises MetalabError if they cannot be started.
        """
        self._renew()
        supervisor, asked = self._supervisor, time.monotonic()
        supervisor.start(self.max_workers)
        read_metadata()  # which the first launch has to, and now it takes no time
        while supervisor.ready < supervisor.workers:
            if supervisor.trouble is not None or supervisor.over.is_set():
                raise MetalabError(supervisor.trouble or "this ProcessExecutor was shut down")
            if time.monotonic() - asked > _AGAIN:  # one may have died on its way
                supervisor.start(self.max_workers)
                asked = time.monotonic()
            time.sleep(0.001)
        return self

    def admit(
        self, plan: Plan, metrics: Sequence[DerivedMetric], retry: Retry, limits: Limits
    ) -> None:
        """Refuse what cannot be sent to other processes; raises PayloadError."""
        self._renew()
        # They start meanwhile: the launch is described and its folder made before it is submitted.
        self._supervisor.start(len(plan))
        self._payloads[plan] = packed(plan, metrics, retry, limits)

    def submit(self, batch: Batch) -> Submission:
        """Begin to execute the batch in the executor's processes."""
        if self._closed:
            raise RuntimeError("this ProcessExecutor was shut down; make a new one")
        self._renew()
        payload = self._payloads.pop(batch.plan, None)
        if payload is None:
            payload = packed(batch.plan, batch.derived_metrics, batch.retry, batch.limits)
        submission = ProcessSubmission(
            batch, self._supervisor, Station(executor=self.name), payload
        )
        self._submissions = [each for each in self._submissions if not each.is_done()]
        self._submissions.append(submission)
        return submission

    def _renew(self) -> None:
        # A forked child has none of its parent's processes.
        if os.getpid() != self._pid or (self._supervisor.over.is_set() and not self._closed):
            self._begin()

    def shutdown(self, *, wait: bool = True) -> None:
        """Take no further batch; with ``wait``, return once those given are over."""
        self._closed = True
        self._supervisor.close()
        if wait:
            for submission in self._submissions:
                submission.wait()
            self._supervisor.over.wait()


@hookimpl
def metalab_make_executor(options: Mapping[str, Any]) -> Executor:
    """Make the executor that ``executor="process"`` names."""
    return ProcessExecutor(**options)


@hookimpl
def metalab_executor_class() -> type[Executor]:
    """Return the class that it makes."""
    return ProcessExecutor
