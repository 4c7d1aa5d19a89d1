"""Dealing: the runs that a launch claims, made into chunks for a pool."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from metalab.execution.task import BACKFILL, CAREFUL, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from metalab.execution.base import Batch
    from metalab.execution.futures.pace import Pace
    from metalab.execution.sharing import Share
    from metalab.execution.worker import Worker

__all__ = ["Chunk", "Dealer"]


@attrs.frozen(eq=False)
class Chunk:
    """Tasks that go into a pool together.

    ``alone``, it is one run that may be what broke a pool: nothing else of the launch is
    there with it. ``shown``, its first run is counted as running.
    """

    tasks: tuple[Task, ...]
    alone: bool = False
    shown: bool = False


class Dealer:
    """Makes chunks of the runs that a share deals; to be used by one thread.

    Runs that may kill their worker come one by one, and those that are suspected of having
    done so come last, alone.
    """

    def __init__(self, batch: Batch, share: Share, pace: Pace, clerk: Worker) -> None:
        self._batch = batch
        self._share = share
        self._pace = pace
        self._clerk = clerk
        self._ready = deque[int]()
        self._underived = deque(batch.underived)
        self._suspects: list[Task] = []
        self._suspected: set[int] = set()
        self._taken = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left, and nothing will be that others have now."""
        return not (self._ready or self._suspects or self._underived) and self._share.is_exhausted

    def next(self, *, idle: bool) -> Chunk | None:
        """Return what is to be sent next, None where that takes waiting.

        ``idle`` says that nothing of the launch is in the pool.
        """
        tasks = self._backfills() or self._runs()
        if tasks:
            return Chunk(tuple(tasks))
        if idle and self._suspects:
            # Whoever was suspected least often comes first, so that nobody waits for the guilty.
            suspect = min(self._suspects, key=lambda task: task.attempt)
            self._suspects.remove(suspect)
            return Chunk((suspect,), alone=True)
        return None

    def suspect(self, index: int) -> None:
        """Have a run come alone from now on."""
        self._suspected.add(index)

    def give_back(self, tasks: Iterable[Task]) -> None:
        """Take back what was not begun; it is dealt next."""
        for task in reversed(list(tasks)):
            if task.flags & BACKFILL:
                self._underived.appendleft(task.run)
            else:
                self._ready.appendleft(task.run)

    def leave(self) -> None:
        """Give all that was not begun back to the share, to be released."""
        self._share.give_back([*self._ready, *(task.run for task in self._suspects)])
        self._ready.clear()
        self._suspects.clear()

    def _backfills(self) -> list[Task]:
        while (elsewhere := self._share.next_elsewhere()) is not None:
            if self._batch.derived_metrics:
                self._underived.append(elsewhere)
        size = self._pace.size(len(self._underived))
        indices = [self._underived.popleft() for _ in range(min(size, len(self._underived)))]
        return [Task(run=index, flags=BACKFILL) for index in indices]

    def _runs(self) -> list[Task]:
        tasks = list[Task]()
        size = self._pace.size(len(self._batch.pending) - self._taken + len(self._ready))
        while len(tasks) < size and (index := self._take(size - len(tasks))) is not None:
            task = self._task(index)
            if task is None:
                continue
            if not task.flags & CAREFUL:
                tasks.append(task)
            elif not tasks:
                return [task]
            else:
                self._ready.appendleft(index)
                break
        return tasks

    def _take(self, most: int) -> int | None:
        if not self._ready:
            taken: Sequence[int] = self._share.take(most)
            self._taken += len(taken)
            self._ready.extend(taken)
        return self._ready.popleft() if self._ready else None

    def _task(self, index: int) -> Task | None:
        """Return a run's task, unless it is settled here or has to wait."""
        run_id = self._batch.plan.ids.at(index)
        attempt = self._share.attempt(run_id)
        if attempt.doom is not None:
            self._clerk.execute(self._batch.plan[index], attempt)
            return None
        task = Task.of(index, attempt)
        if attempt.careful and self._is_suspected(index, run_id):
            self._suspects.append(task)
            return None
        return task

    def _is_suspected(self, index: int, run_id: str) -> bool:
        log = self._batch.log
        return index in self._suspected or (log is not None and bool(log.losses(run_id)))
