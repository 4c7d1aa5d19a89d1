"""The board of a worker process: memory that it shares with its supervisor.

The worker writes how far it has come; the supervisor reads that whenever it likes, also after
the worker's death. Nothing is sent and nobody waits, so a run costs next to nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from metalab.execution.process.host import shared_memory
from metalab.records import Status

if TYPE_CHECKING:
    from metalab.execution.worker import Ended

__all__ = ["AGAIN", "REFUSED", "RING", "STATUSES", "SUCCEEDED", "Board", "code_of"]

RING = 1 << 17
"""How many tasks may be begun and not yet settled: more than a writer keeps in memory."""

STATUSES = (None, Status.SUCCESS, Status.FAILED, Status.CANCELLED)
"""What the number in a task's code stands for; None is a task that is no run."""

AGAIN = 1 << 6
"""Set in the code of an attempt that is not the last."""

REFUSED = 1 << 5
"""The code of a task that was not done, since its launch cannot be executed here."""

_CODES = {status: number for number, status in enumerate(STATUSES)}
SUCCEEDED = _CODES[Status.SUCCESS]
"""The code of a run that succeeded."""

_BEGUN, _ENDED, _SINCE, _READY, _BUSY = range(5)
_HEADER = 64


class Board:
    """Counts the tasks that a worker has begun and has ended, and how each of them did.

    The n-th task begun has the n-th place of two rings: how it ended, and whether what it
    has put is durable, which another thread notes. ``since`` is when the last task began, in
    nanoseconds of the monotonic clock, which all processes of a machine share.
    """

    SIZE = _HEADER + 2 * RING

    def __init__(self, descriptor: int) -> None:
        self._memory = shared_memory(descriptor, self.SIZE)
        view = memoryview(self._memory)
        self._numbers = view[:_HEADER].cast("q")
        self._codes = view[_HEADER : _HEADER + RING]
        self._durable = view[_HEADER + RING :]

    # The worker's side.

    def begin(self) -> int:
        """Note that the next task is begun, and return its place."""
        numbers = self._numbers
        place: int = numbers[_BEGUN]
        self._durable[place % RING] = 0
        numbers[_SINCE] = time.monotonic_ns()
        numbers[_BEGUN] = place + 1
        return place

    def ready(self, place: int) -> None:
        """Note that the operation of the task begun last is called next; its time begins."""
        self._numbers[_SINCE] = time.monotonic_ns()
        self._numbers[_READY] = place + 1

    def end(self, place: int, code: int) -> None:
        """Note how the task begun last has ended."""
        self._codes[place % RING] = code
        self._numbers[_BUSY] += time.monotonic_ns() - self._numbers[_SINCE]
        self._numbers[_ENDED] = place + 1

    def settle(self, place: int) -> None:
        """Note that what a task has put is durable; may be called from any thread."""
        self._durable[place % RING] = 1

    # The supervisor's side.

    @property
    def begun(self) -> int:
        """How many tasks were begun."""
        return self._numbers[_BEGUN]

    @property
    def ended(self) -> int:
        """How many tasks have ended."""
        return self._numbers[_ENDED]

    @property
    def busy(self) -> int:
        """How many nanoseconds the tasks that ended have taken in all."""
        return self._numbers[_BUSY]

    @property
    def is_ready(self) -> bool:
        """Whether the task begun last came as far as to call its operation."""
        return self._numbers[_READY] == self._numbers[_BEGUN]

    @property
    def since(self) -> int:
        """When the last task was begun."""
        return self._numbers[_SINCE]

    def codes(self, first: int, after: int) -> bytes:
        """Return how the tasks of these places have ended."""
        return _part(self._codes, first, after)

    def durable(self, first: int, after: int) -> bytes:
        """Return a 1 for each of these places whose task is durable, else a 0."""
        return _part(self._durable, first, after)

    def close(self) -> None:
        """Let go of the memory."""
        for view in (self._numbers, self._codes, self._durable):
            view.release()


def _part(ring: memoryview, first: int, after: int) -> bytes:
    start, end = first % RING, after % RING
    if first == after:
        return b""
    return bytes(ring[start:end]) if start < end else bytes(ring[start:]) + bytes(ring[:end])


def code_of(ended: Ended | None) -> int:
    """Return what is noted of a task that ended so; None is a task that is no run."""
    if ended is None:
        return 0
    return _CODES[ended.status] | (AGAIN if ended.again else 0)
