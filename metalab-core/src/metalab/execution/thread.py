"""The thread executor: runs side by side in this process."""

from __future__ import annotations

import os
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

from metalab.execution.base import Executor, Submission
from metalab.execution.cpus import worker_count
from metalab.execution.local import LocalSubmission
from metalab.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.execution.base import Batch

__all__ = ["ThreadExecutor", "metalab_executor_class", "metalab_make_executor"]


class ThreadExecutor(Executor):
    """Executes runs on up to ``max_workers`` threads, shared by all batches it is given.

    ``max_workers`` is the number of CPUs this process may use by default. Threads help
    where operations wait or release the interpreter's lock. Runs are taken in plan order,
    batch after batch. Raises ValueError for fewer than one worker, TypeError for what is no
    whole number.
    """

    name = "thread"
    jobs_option = "max_workers"

    def __init__(self, max_workers: int | None = None) -> None:
        self.max_workers = worker_count(max_workers)
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._batches: list[LocalSubmission] = []
        self._threads: set[int] = set()

    def submit(self, batch: Batch) -> Submission:
        """Begin to execute the batch on the executor's threads."""
        if os.getpid() != self._pid:
            self._begin()  # a forked child has none of its parent's threads
        with self._lock:
            if self._closed:
                raise RuntimeError("this ThreadExecutor was shut down; make a new one")
        submission = LocalSubmission(batch, self.name)
        with self._lock:
            self._batches.append(submission)
        wanted = len(batch.pending) + len(batch.underived)
        for _ in range(min(wanted, self.max_workers)):
            self._add_thread()
        submission.close_if_over()
        return submission

    def shutdown(self, *, wait: bool = True) -> None:
        """Take no further batch; with ``wait``, return once those given are over."""
        with self._lock:
            self._closed = True
            batches = list(self._batches)
        for submission in batches if wait else ():
            submission.wait()

    def _add_thread(self) -> None:
        with self._lock:
            if len(self._threads) >= self.max_workers:
                return
            number = next(number for number in count() if number not in self._threads)
            self._threads.add(number)
        # A daemon: leaving the interpreter is held up by the open handles, which also
        # listen to Ctrl-C there, and not by threads, which cannot.
        threading.Thread(
            target=self._work, args=(number,), name=f"metalab-worker-{number}", daemon=True
        ).start()

    def _work(self, number: int) -> None:
        while (submission := self._next(number)) is not None:
            submission.serve(str(number))

    def _next(self, number: int) -> LocalSubmission | None:
        with self._lock:
            for submission in self._batches:
                if submission.has_tasks:
                    return submission
            self._batches = [batch for batch in self._batches if not batch.is_done()]
            self._threads.discard(number)
            return None


@hookimpl
def metalab_make_executor(options: Mapping[str, Any]) -> Executor:
    """Make the executor that ``executor="thread"`` names."""
    return ThreadExecutor(**options)


@hookimpl
def metalab_executor_class() -> type[Executor]:
    """Return the class that it makes."""
    return ThreadExecutor
