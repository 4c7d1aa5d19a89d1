"""The tray of a launch: where its tasks lie until the supervisor takes them.

Two threads work with it, the launch's own and the supervisor's, and neither waits for the
other: what the supervisor has to say is left as a letter.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from metalab.execution.task import Task

__all__ = ["Tray"]

_MOST_LETTERS = 10_000


class Tray:
    """Holds the tasks that are ready, and counts those that are not done.

    ``is_stopped`` says that no further task is to be dealt out, ``is_abandoned`` that nobody
    tells any more what becomes of those that were.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._changed = threading.Condition()
        self._ready: deque[Task] = deque()
        self._letters: deque[Callable[[], None]] = deque()
        self._outstanding = 0
        self._wanted = workers
        self._is_urgent = True
        self._nothing_comes = False
        self._is_left = False
        self._expected: set[str] | None = None
        self.is_stopped = False
        self.is_abandoned = False

    # Tasks.

    @property
    def available(self) -> int:
        """How many tasks can be taken now: none while letters pile up."""
        if self.is_stopped or len(self._letters) > _MOST_LETTERS:
            return 0
        return len(self._ready)

    @property
    def is_full(self) -> bool:
        """Whether as many tasks are ready as are wanted."""
        return len(self._ready) >= self._wanted

    def put(self, tasks: Sequence[Task]) -> bool:
        """Add tasks; False if the supervisor will see to them soon enough by itself."""
        with self._changed:
            self._outstanding += len(tasks)
            self._ready.extend(tasks)
            return self._is_urgent

    def take(self, most: int) -> list[Task]:
        """Take up to so many tasks, in plan order."""
        with self._changed:
            taken = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
            # Until the supervisor asks anew: no run is claimed that another launch could begin.
            self._wanted = max(0, self._wanted - len(taken))
            return taken

    def ask_for(self, tasks: int, *, urgently: bool) -> None:
        """Ask for so many tasks more than there are; those that are soon wanted come as well."""
        wanted = 2 * tasks if tasks > self._workers else tasks
        self._is_urgent = urgently
        if wanted != self._wanted:
            with self._changed:
                self._wanted = wanted
                if not (self._nothing_comes or self.is_full):
                    self._changed.notify_all()

    def give_back(self, tasks: Sequence[Task]) -> None:
        """Take tasks back that no worker has begun."""
        if tasks:
            with self._changed:
                self._ready.extendleft(reversed(tasks))
                self._changed.notify_all()

    def leave(self) -> None:
        """Say that what is ready is done by others sooner."""
        with self._changed:
            self._is_left = True
            self._changed.notify_all()

    @property
    def is_left(self) -> bool:
        """Whether the supervisor has said so since the tray was emptied."""
        return self._is_left

    def empty(self) -> list[Task]:
        """Take all that is ready, which will not be done."""
        with self._changed:
            self._is_left = False
            tasks = list(self._ready)
            self._ready.clear()
            self._outstanding -= len(tasks)
        return tasks

    def count_out(self, tasks: int = 1) -> None:
        """Count tasks as done."""
        with self._changed:
            self._outstanding -= tasks
            if not self._outstanding:
                self._changed.notify_all()

    # Letters, and what is said once.

    def post(self, letter: Callable[[], None]) -> None:
        """Leave what the launch's thread is to do."""
        with self._changed:
            self._letters.append(letter)
            self._changed.notify_all()

    def read(self) -> None:
        """Do what was left to do."""
        while self._letters:
            self._letters.popleft()()

    def stop(self) -> None:
        """Have no further task dealt out."""
        with self._changed:
            self.is_stopped = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Say that nobody tells any more what becomes of the tasks."""
        with self._changed:
            self.is_abandoned = True
            self._changed.notify_all()

    # Waiting.

    @property
    def is_idle(self) -> bool:
        """Whether no task is undone, as far as anybody tells, and no letter unread."""
        with self._changed:
            return not self._letters and (self.is_abandoned or not self._outstanding)

    def rest(self, seconds: float, *, nothing_comes: bool) -> bool:
        """Wait until there is something to do; False if so many seconds pass before.

        With ``nothing_comes`` nothing more can be made ready, however long this waits.
        """
        with self._changed:
            self._nothing_comes = nothing_comes
            if self._letters or self.is_abandoned or self._is_left:
                return True
            if self.is_stopped and (self._ready or not self._outstanding):
                return True
            if nothing_comes or self.is_full:
                return not self._outstanding or self._changed.wait()
            return self._changed.wait(seconds)

    # The ends of the workers' parts.

    def await_ends(self, begin: Callable[[], None]) -> None:
        """Have the workers end their parts of the launch, and wait until they have."""
        with self._changed:
            self._expected = None
        begin()
        with self._changed:
            while not self.is_abandoned and (self._expected is None or self._expected):
                self._changed.wait()

    def expect(self, names: Collection[str]) -> None:
        """Note which workers have yet to end their parts."""
        with self._changed:
            self._expected = set(names)
            self._changed.notify_all()

    def ended(self, name: str) -> None:
        """Note that a worker has ended its part."""
        with self._changed:
            if self._expected is not None:
                self._expected.discard(name)
            self._changed.notify_all()
