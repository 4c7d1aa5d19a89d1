"""One batch on its way through worker processes.

A thread of its own claims runs and makes them tasks, writes what is to be written about runs
whose worker died, and calls who listens. The supervisor's thread takes the tasks from the
tray, and tells what became of them.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from metalab.execution.base import Submission
from metalab.execution.process.arrears import Arrears
from metalab.execution.process.board import AGAIN, REFUSED, STATUSES, SUCCEEDED
from metalab.execution.process.host import anonymous_file
from metalab.execution.process.obituary import Obituary
from metalab.execution.process.tray import Tray
from metalab.execution.refusal import refusal
from metalab.execution.sharing import Share
from metalab.execution.task import BACKFILL, CAREFUL, FINISH, Task
from metalab.records import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.events import EventKind
    from metalab.execution.base import Batch
    from metalab.execution.process.death import Death
    from metalab.execution.process.member import Ending, Member
    from metalab.execution.process.station import Station
    from metalab.execution.process.supervisor import Supervisor

__all__ = ["ProcessSubmission"]

_MANY = 4096
_FEW = 1024
_SHORTEST, _LONGEST = 0.05, 1.0
_PATIENCE = 1.0  # seconds
_MOST_DEATHS_BEFORE_A_RUN = 3
_SECURE_SECONDS = 10.0


class ProcessSubmission(Submission):
    """Deals out the runs of a batch as tasks, and closes it after the last.

    ``number`` names the launch in tasks; ``told`` and ``payload`` are what a worker needs
    to know of it. ``patience`` is for how many seconds all workers may be held up by the runs
    they are at, before what waits behind these is left to other launches.
    """

    number: int

    def __init__(
        self,
        batch: Batch,
        supervisor: Supervisor,
        station: Station,
        packed_plan: bytes | memoryview,
    ) -> None:
        self._batch = batch
        self._supervisor = supervisor
        another = partial(
            batch.store.writer,
            batch.launch,
            "supervisor",
            executor=station.executor,
            owner=station.owner,
        )
        self._writer = another()
        self._writer.attend()
        self._share = Share(batch, self._writer, another)
        self._obituary = Obituary(batch, self._share, self._writer, station.label)
        self._arrears = Arrears(batch)
        self.payload = _file_of(packed_plan, batch.plan.ids.packed)
        self.told = {
            "size": len(packed_plan),
            "store": batch.store.config.pickled(),
            "launch": batch.launch,
            "manifest": batch.manifest,
            "code": batch.plan.code.hash,
            "memory": batch.limits.memory,
            "until": batch.until,
            "station": station.to_dict(),
        }
        self.timeout = batch.limits.timeout
        self.kinds_told: frozenset[EventKind] = frozenset()
        self.tray = Tray(supervisor.workers)
        self._underived = deque(batch.underived)
        self.patience = _PATIENCE
        self._pause = _SHORTEST
        self._barren = 0  # deaths of workers before they came to call the operation
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._pid = os.getpid()
        supervisor.add(self)
        threading.Thread(target=self._run, name="metalab-launch", daemon=True).start()

    # As a Submission.

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the last record is durable; RuntimeError in a forked child."""
        self._check_process(self._pid)
        return self._done.wait(timeout)

    def cancel(self) -> None:
        """Deal out no further task and ask the operations under way to stop."""
        self._stop()
        self._supervisor.cancel(self)  # takes back what is not begun, too

    def error(self) -> BaseException | None:
        """Return what stopped the batch, if that was no run's own failure."""
        return self._error

    def secure(self) -> None:
        """End the workers at once, and record their runs as cancelled."""
        self._stop()
        self._supervisor.leave()
        if not self._done.wait(_SECURE_SECONDS):
            self._writer.close()

    # What a pilot asks of its own.

    def stop(self) -> None:
        """Deal out no further task; those under way go on to their end."""
        self._stop()
        self._supervisor.withdraw(self)

    @property
    def is_waiting(self) -> bool:
        """Whether there is nothing to do now, though runs are left which others have claimed."""
        return self.tray.is_idle and not (self.tray.is_stopped or self._is_exhausted)

    @property
    def writer(self) -> str:
        """The name of the launch's own writer."""
        return self._writer.name

    # What the supervisor's thread calls.

    @property
    def kinds(self) -> frozenset[EventKind]:
        """The kinds of event that somebody hears."""
        return self._batch.ledger.heard

    def begun(self, tasks: Sequence[Task]) -> None:
        """Count runs as under way."""
        self._batch.ledger.begun([task.run for task in tasks if not task.flags & ~CAREFUL])

    def ended(self, member: Member, endings: Sequence[Ending]) -> None:
        """Take note of tasks that have ended, though what they put may not be durable."""
        plain = [each for each in endings if each.code == SUCCEEDED and not each.task.flags]
        if len(plain) < len(endings):
            plain = [each for each in endings if self._is_run_that_ended(each)]
        member.awaiting[self.number].extend(plain)
        self.tray.count_out(len(plain))

    def _is_run_that_ended(self, ending: Ending) -> bool:
        """Deal with whatever else a task may be; a run that failed may be the last."""
        task, code = ending.task, ending.code
        if code & REFUSED:
            self.tray.post(partial(self._take_undone, task))
        elif task.flags & BACKFILL:
            self.tray.count_out(1)
        elif code & AGAIN:
            self._batch.ledger.reopened(task.run)
            self.tray.post(partial(self._try_again, task))
        else:
            if ending.status is Status.FAILED and self._batch.failures.failed():
                self._stop()
                self._supervisor.withdraw(self)
            return True
        return False

    def settle(self, member: Member, waiting: deque[Ending]) -> None:
        """Count those of the tasks that are durable now, and take them out."""
        while waiting:
            first = waiting[0].place
            # Places of other launches may lie between.
            after = min(waiting[-1].place + 1, first + len(waiting))
            durable = member.board.durable(first, after)
            if not durable[0]:
                return
            end = durable.find(0)
            last = after if end < 0 else first + end
            settled = []
            while waiting and waiting[0].place < last:
                settled.append(waiting.popleft())
            self._count(settled)

    def hear(self, event: list[Any]) -> None:
        """Take an event that a worker has sent."""
        self.tray.post(partial(self._obituary.tell, event))

    def died(self, death: Death) -> None:
        """Take note of the death of a worker that had begun this launch."""
        self.tray.post(partial(self._mourn, death))

    def refuse(self, kind: str, message: str, trace: str) -> None:
        """Take note that a worker cannot execute this launch."""
        self.tray.post(partial(self._refuse, kind, message, trace))

    def fail(self, error: BaseException) -> None:
        """End the launch: what stopped it is raised where the user waits."""
        self._error = self._error or error
        self._stop()
        self._supervisor.withdraw(self)

    def abandon(self, error: BaseException) -> None:
        """End the launch although nobody tells any more what becomes of its tasks."""
        self._error = self._error or error
        self._stop()
        self.tray.abandon()

    # What both threads call.

    def _stop(self) -> None:
        self._share.stop()
        self.tray.stop()

    def _count(self, endings: Sequence[Ending]) -> None:
        self._barren = 0
        for code, group in groupby(endings, _code_of):
            if (status := STATUSES[code]) is not None:
                self._batch.ledger.ended(status, [ending.task.run for ending in group])

    # The launch's own thread.

    def _run(self) -> None:
        try:
            self._execute()
            while not self.tray.is_stopped and (owed := self._arrears.collect()):
                self._underived.extend(owed)
                self._execute()
            self._share.release()
            self._writer.close()
        except BaseException as error:  # noqa: BLE001  result() raises it where the user waits
            self._error = self._error or error
        finally:
            self._share.stop()
            self._supervisor.remove(self)
            os.close(self.payload)
            self._batch.ledger.finish()
            self._done.set()

    def _execute(self) -> None:
        """Deal out tasks until there are none, and have the workers end their parts."""
        while True:
            try:
                if self._is_over():
                    break
                self.tray.read()
                if self.tray.is_left:
                    self._give_up()
                if not self._fill():
                    self._rest()
            except BaseException as error:  # noqa: BLE001  result() raises it where the user waits
                self.fail(error)
        self.tray.await_ends(partial(self._supervisor.finish, self))
        self.tray.read()

    def _give_up(self) -> None:
        """Leave to other launches what none of the workers comes to soon."""
        self._underived.extendleft(reversed(self._take_back()))
        if self._share.give_up():
            # Each time costs the store a writer.
            self.patience *= 2

    def _take_back(self) -> list[int]:
        """Have the share take back what no worker has; returns what else was to be done."""
        left = self.tray.empty()
        self._share.give_back([task.run for task in left if not task.flags & BACKFILL])
        return [task.run for task in left if task.flags & BACKFILL]

    def _is_over(self) -> bool:
        if self.tray.is_stopped:
            self._take_back()
        return self.tray.is_idle and (self.tray.is_stopped or self._is_exhausted)

    @property
    def _is_exhausted(self) -> bool:
        return self._share.is_exhausted and not self._underived

    def _fill(self) -> bool:
        """Make further runs tasks; False if none are wanted, or that takes waiting."""
        if self.tray.is_stopped or self.tray.is_full:
            return False
        tasks = [*self._backfills(), *self._tasks(self._share.take(_MANY))]
        if not tasks:
            return False
        if self.tray.put(tasks):
            self._supervisor.wake()
        self._pause = _SHORTEST
        return True

    def _rest(self) -> None:
        """Wait until there is something to do."""
        nothing_comes = self.tray.is_stopped or self._is_exhausted
        # Asked for beforehand: who holds the share's lock may be reading the store.
        seconds = self._share.patience(self._pause)
        if not self.tray.rest(seconds, nothing_comes=nothing_comes):
            self._pause = min(2 * self._pause, _LONGEST)

    def _backfills(self) -> list[Task]:
        indices = []
        while (elsewhere := self._share.next_elsewhere()) is not None:
            indices.append(elsewhere)
        while self._underived and len(indices) < _FEW:
            indices.append(self._underived.popleft())
        if not self._batch.derived_metrics:
            return []
        flags = BACKFILL | (CAREFUL if self._arrears.is_careful else 0)
        return [Task(run=index, launch=self.number, flags=flags) for index in indices]

    def _tasks(self, indices: Sequence[int]) -> list[Task]:
        number = self.number
        if self._share.is_fresh:
            return [Task(index, 0, 1, 1, number, 0) for index in indices]
        tasks = []
        for index in indices:
            attempt = self._share.attempt(self._batch.plan.ids.at(index))
            if attempt.doom is not None:
                self._obituary.refuse(index, attempt)
            else:
                tasks.append(Task.of(index, attempt, number))
        return tasks

    def _try_again(self, task: Task) -> None:
        attempt = task.as_try()
        self._share.again(task.run, attempt.next(), self._batch.retry.delay(attempt.tries))
        self.tray.count_out(1)

    def _take_undone(self, task: Task) -> None:
        self._share.give_back([task.run])
        self.tray.count_out(1)

    def _mourn(self, death: Death) -> None:
        if death.orphans:
            self._obituary.secure(death)
            self._count(death.orphans)
        self._arrears.note()
        task = death.task
        if task is None or task.flags & FINISH:
            return
        if task.flags & BACKFILL:
            if task.flags & CAREFUL:
                self._arrears.give_up(task.run, death)
        elif not death.is_ready:
            self._batch.ledger.reopened(task.run)
            self._count_barren(death)
            self._share.give_back([task.run])
        else:
            self._barren = 0
            if self._obituary.conclude(task.run, task.as_try(), death):
                self._stop()
                self._supervisor.withdraw(self)
        self.tray.count_out(1)

    def _count_barren(self, death: Death) -> None:
        self._barren += 1
        if self._barren >= _MOST_DEATHS_BEFORE_A_RUN:
            self._refuse("WorkerDiedError", f"the process {death.how}", death.words)

    def _refuse(self, kind: str, message: str, trace: str) -> None:
        self.fail(refusal(self._batch.plan.experiment_id, (kind, message, trace)))


_code_of = attrgetter("code")


def _file_of(*parts: bytes | memoryview) -> int:
    descriptor = anonymous_file("metalab-payload")
    with open(descriptor, "wb", closefd=False) as file:
        file.writelines(parts)
    return descriptor
