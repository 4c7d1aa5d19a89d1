"""The lane of a worker process: the pipe from which it takes its tasks, one at a time.

A task is in the lane until somebody reads it, and the kernel gives it to one reader alone. So
the supervisor can take back what a worker has not begun, however busy the worker is, and
nobody waits behind another one's long run.
"""

from __future__ import annotations

import os
import select
from struct import Struct
from typing import TYPE_CHECKING

from metalab.execution.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Lane", "tasks_in"]

_task = Struct("<IIHHHH")


class Lane:
    """The supervisor's end; a worker reads ``descriptor`` with ``tasks_in``."""

    ROOM = 2048  # of the 4096 that a pipe takes: a write never has to wait

    def __init__(self) -> None:
        self.descriptor, self._end = os.pipe()
        os.set_blocking(self.descriptor, False)  # for both who read
        os.set_blocking(self._end, False)

    def put(self, tasks: Iterable[Task]) -> None:
        """Add tasks; at most ``Lane.ROOM`` may be there at a time."""
        data = b"".join(_task.pack(*task) for task in tasks)
        if os.write(self._end, data) != len(data):
            raise RuntimeError("a lane was given more tasks than it has room for")

    def take_back(self) -> list[Task]:
        """Take the tasks that nobody has read yet, in order."""
        taken = bytearray()
        while True:
            try:
                data = os.read(self.descriptor, _task.size * self.ROOM)
            except BlockingIOError:
                break
            if not data:
                break
            taken += data
        return list(map(Task._make, _task.iter_unpack(taken)))

    def end(self) -> None:
        """Add nothing more: a worker that has done what is there ends."""
        if self._end >= 0:
            os.close(self._end)
            self._end = -1

    def close(self) -> None:
        """Let go of both ends."""
        self.end()
        os.close(self.descriptor)


def tasks_in(descriptor: int, when_empty: Callable[[], None]) -> Iterator[Task]:
    """Yield tasks as they come, until the lane is closed; tells ``when_empty`` before it waits."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    while True:
        try:
            data = os.read(descriptor, _task.size)
        except BlockingIOError:
            when_empty()
            waiting.poll()
            continue
        if not data:
            return
        yield Task._make(_task.unpack(data))
