"""One batch on its way through worker processes.

A thread of its own claims runs and makes them tasks, writes what is to be written about runs
whose worker died, and calls who listens. The supervisor's thread takes the tasks, and tells
what became of them; it never waits for this one.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections import deque
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs

from metalab.execution.base import Submission
from metalab.execution.inheritance import Try
from metalab.execution.payload import Surroundings
from metalab.execution.process.arrears import Arrears
from metalab.execution.process.board import AGAIN, REFUSED, STATUSES, SUCCEEDED
from metalab.execution.process.death import refusal
from metalab.execution.process.host import anonymous_file
from metalab.execution.process.lane import BACKFILL, CAREFUL, FINISH, Task
from metalab.execution.process.obituary import Obituary
from metalab.execution.sharing import Share
from metalab.records import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from metalab.events import EventKind
    from metalab.execution.base import Batch
    from metalab.execution.process.death import Death
    from metalab.execution.process.member import Ending, Member
    from metalab.execution.process.supervisor import Supervisor

__all__ = ["ProcessSubmission"]

_MANY = 4096
_FEW = 1024
_MOST_LETTERS = 10_000
_SHORTEST, _LONGEST = 0.05, 1.0
_MOST_DEATHS_BEFORE_A_RUN = 3
_SECURE_SECONDS = 10.0


class ProcessSubmission(Submission):
    """Deals out the runs of a batch as tasks, and closes it after the last.

    ``number`` names the launch in tasks; ``told`` and ``payload`` are what a worker needs
    to know of it.
    """

    number: int

    def __init__(self, batch: Batch, supervisor: Supervisor, executor: str, plan: bytes) -> None:
        self._batch = batch
        self._supervisor = supervisor
        self._writer = batch.store.writer(batch.launch, "supervisor", executor=executor)
        self._writer.attend()
        self._share = Share(batch, self._writer)
        self._obituary = Obituary(batch, self._share, self._writer, executor)
        self._arrears = Arrears(batch)
        self.payload = _file_of(plan, batch.plan.ids.packed)
        self.told = {
            "size": len(plan),
            "store": pickle.dumps(batch.store.config),
            "launch": batch.launch,
            "manifest": batch.manifest,
            "executor": executor,
            "memory": batch.limits.memory,
            "surroundings": attrs.asdict(Surroundings.here()),
        }
        self.timeout = batch.limits.timeout
        self.kinds_told: frozenset[EventKind] = frozenset()
        self._changed = threading.Condition()
        self._ready: deque[Task] = deque()
        self._letters: deque[Callable[[], None]] = deque()
        self._underived = deque(batch.underived)
        self._outstanding = 0
        self._wanted = supervisor.workers
        self._expected: set[str] | None = None
        self._stopped = False
        self._abandoned = False
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
        self._supervisor.cancel(self)

    def error(self) -> BaseException | None:
        """Return what stopped the batch, if that was no run's own failure."""
        return self._error

    def secure(self) -> None:
        """End the workers at once, and record their runs as cancelled."""
        self._stop()
        self._supervisor.leave()
        if not self._done.wait(_SECURE_SECONDS):
            self._writer.close()

    # What the supervisor's thread calls.

    @property
    def kinds(self) -> frozenset[EventKind]:
        """The kinds of event that somebody hears."""
        return self._batch.ledger.heard

    @property
    def available(self) -> int:
        """How many tasks can be taken now."""
        return 0 if self._stopped or len(self._letters) > _MOST_LETTERS else len(self._ready)

    def take(self, most: int) -> list[Task]:
        """Take up to so many tasks, in plan order."""
        with self._changed:
            return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]

    def ask_for(self, tasks: int) -> None:
        """Ask for so many tasks more than there are; those that are soon wanted come as well."""
        wanted = 2 * tasks if tasks > self._supervisor.workers else tasks
        if wanted != self._wanted:
            with self._changed:
                self._wanted = wanted
                self._changed.notify_all()

    def give_back(self, tasks: Sequence[Task]) -> None:
        """Take tasks back that no worker has begun."""
        if tasks:
            with self._changed:
                self._ready.extendleft(reversed(tasks))
                self._changed.notify_all()

    def begun(self, tasks: Sequence[Task]) -> None:
        """Count runs as under way."""
        self._batch.ledger.begun([task.run for task in tasks if not task.flags & ~CAREFUL])

    def ended(self, member: Member, endings: Sequence[Ending]) -> None:
        """Take note of tasks that have ended, though what they put may not be durable."""
        plain = [each for each in endings if each.code == SUCCEEDED and not each.task.flags]
        if len(plain) < len(endings):
            plain = [each for each in endings if self._is_run_that_ended(each)]
        member.awaiting[self.number].extend(plain)
        self._count_out(len(plain))

    def _is_run_that_ended(self, ending: Ending) -> bool:
        """Deal with whatever else a task may be; a run that failed may be the last."""
        task, code = ending.task, ending.code
        if code & REFUSED:
            self._post(partial(self._take_undone, task))
        elif task.flags & BACKFILL:
            self._count_out(1)
        elif code & AGAIN:
            self._batch.ledger.reopened(task.run)
            self._post(partial(self._try_again, task))
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
        self._post(partial(self._obituary.tell, event))

    def died(self, death: Death) -> None:
        """Take note of the death of a worker that had begun this launch."""
        self._post(partial(self._mourn, death))

    def refuse(self, kind: str, message: str, trace: str) -> None:
        """Take note that a worker cannot execute this launch."""
        self._post(partial(self._refuse, kind, message, trace))

    def expect(self, names: Collection[str]) -> None:
        """Note which workers have yet to end their parts of this launch."""
        with self._changed:
            self._expected = set(names)
            self._changed.notify_all()

    def finished(self, name: str) -> None:
        """Take note that a worker has ended its part of this launch."""
        with self._changed:
            if self._expected is not None:
                self._expected.discard(name)
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """End the launch: what stopped it is raised where the user waits."""
        self._error = self._error or error
        self._stop()
        self._supervisor.withdraw(self)

    def abandon(self, error: BaseException) -> None:
        """End the launch although nobody tells any more what becomes of its tasks."""
        self._error = self._error or error
        self._stop()
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    # What both threads call.

    def _post(self, letter: Callable[[], None]) -> None:
        with self._changed:
            self._letters.append(letter)
            self._changed.notify_all()

    def _stop(self) -> None:
        self._share.stop()
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _count_out(self, tasks: int) -> None:
        with self._changed:
            self._outstanding -= tasks
            if not self._outstanding:
                self._changed.notify_all()

    def _count(self, endings: Sequence[Ending]) -> None:
        self._barren = 0
        for code, group in groupby(endings, _code_of):
            if (status := STATUSES[code]) is not None:
                self._batch.ledger.ended(status, [ending.task.run for ending in group])

    # The launch's own thread.

    def _run(self) -> None:
        try:
            self._execute()
            while not self._stopped and (owed := self._arrears.collect()):
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
                self._read_letters()
                self._rest(filled=self._stopped or self._fill())
            except BaseException as error:  # noqa: BLE001  result() raises it where the user waits
                self.fail(error)
        with self._changed:
            self._expected = None
        self._supervisor.finish(self)
        with self._changed:
            while not self._abandoned and (self._expected is None or self._expected):
                self._changed.wait()
        self._read_letters()

    def _is_over(self) -> bool:
        if self._stopped:
            self._return_ready()
        with self._changed:
            if self._letters or (self._outstanding and not self._abandoned):
                return False
        return self._stopped or (self._share.is_exhausted and not self._underived)

    def _return_ready(self) -> None:
        with self._changed:
            tasks = list(self._ready)
            self._ready.clear()
        self._share.give_back([task.run for task in tasks if not task.flags & BACKFILL])
        self._count_out(len(tasks))

    def _read_letters(self) -> None:
        while self._letters:
            self._letters.popleft()()

    def _fill(self) -> bool:
        """Make further runs tasks; False if that takes waiting."""
        if len(self._ready) >= self._wanted:
            return True
        tasks = [*self._backfills(), *self._tasks(self._share.take(_MANY))]
        if not tasks:
            return self._share.is_exhausted
        with self._changed:
            self._outstanding += len(tasks)
            self._ready.extend(tasks)
        self._supervisor.wake()
        self._pause = _SHORTEST
        return True

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
                tasks.append(self._task(index, attempt))
        return tasks

    def _task(self, index: int, attempt: Try) -> Task:
        flags = CAREFUL if attempt.careful else 0
        return Task(index, attempt.epoch, attempt.attempt, attempt.tries, self.number, flags)

    def _rest(self, *, filled: bool) -> None:
        """Wait until there is something to do."""
        with self._changed:
            can_go_on = self._stopped and (self._ready or not self._outstanding)
            if self._letters or self._abandoned or can_go_on:
                return
            if filled:
                nothing_left = self._share.is_exhausted and not self._underived
                if self._outstanding and (nothing_left or len(self._ready) >= self._wanted):
                    self._changed.wait()
                return
            self._changed.wait(self._share.patience(self._pause))
            self._pause = min(2 * self._pause, _LONGEST)

    def _try_again(self, task: Task) -> None:
        attempt = _attempt_of(task)
        self._share.again(task.run, attempt.next(), self._batch.retry.delay(attempt.tries))
        self._count_out(1)

    def _take_undone(self, task: Task) -> None:
        self._share.give_back([task.run])
        self._count_out(1)

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
            if self._obituary.conclude(task.run, _attempt_of(task), death):
                self._stop()
                self._supervisor.withdraw(self)
        self._count_out(1)

    def _count_barren(self, death: Death) -> None:
        self._barren += 1
        if self._barren >= _MOST_DEATHS_BEFORE_A_RUN:
            self._refuse("WorkerDiedError", f"the process {death.how}", death.words)

    def _refuse(self, kind: str, message: str, trace: str) -> None:
        self.fail(refusal(self._batch.plan.experiment_id, kind, message, trace))


_code_of = attrgetter("code")


def _attempt_of(task: Task) -> Try:
    return Try(task.epoch, task.attempt, task.tries, careful=bool(task.flags & CAREFUL))


def _file_of(*parts: bytes | memoryview) -> int:
    descriptor = anonymous_file("metalab-payload")
    with open(descriptor, "wb", closefd=False) as file:
        file.writelines(parts)
    return descriptor
