"""Deriving in parallel: runs are dealt to fresh interpreters, which send their values back.

Each worker reads the store itself; what they compute is yielded here, so that one writer keeps
it. A worker that dies, or takes too long, costs the run it was at, and another takes its place.
"""

from __future__ import annotations

import pickle
import subprocess
import time
from collections import deque
from contextlib import contextmanager, suppress
from math import inf
from multiprocessing.connection import Pipe, wait
from os import killpg
from signal import SIGKILL
from typing import TYPE_CHECKING, Any, cast

import attrs

from metalab.errors import PayloadError
from metalab.transport import Surroundings, by_value, dumped, interpreter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from multiprocessing.connection import Connection

    from metalab.results.derived import DerivedMetric
    from metalab.store.base import Store

__all__ = ["READY", "Finding", "Task", "computed_by_workers"]

Task = tuple[str, tuple[int, ...]]
"""A run's id, and which of the metrics are wanted of it."""

READY = "ready"
_MODULE = "metalab.results.labour"
_CHUNK = 64
_PATIENCE = 5.0
_GLANCE = 3600.0  # seconds: no wait is longer, as what waits takes no number of any size


@attrs.frozen
class Finding:
    """What a worker found of one run: values by the place of their metric, and what went wrong.

    ``of`` is the crc of the record that it read, None if there is none that succeeded.
    """

    run_id: str
    of: str | None
    values: dict[int, dict[str, Any]]
    faults: list[str]


def computed_by_workers(
    store: Store,
    metrics: Sequence[DerivedMetric],
    tasks: Sequence[Task],
    workers: int,
    timeout: float | None = None,
) -> Generator[Finding, None, None]:
    """Yield what is found of each task's run, as workers find it.

    A worker that is at one run for more than ``timeout`` seconds is ended.
    Raises PayloadError if a function cannot be sent to another process, or not made there.
    No process is left when the iterator is closed.
    """
    size = max(1, min(_CHUNK, len(tasks) // (4 * workers)))
    waiting = deque(tasks[start : start + size] for start in range(0, len(tasks), size))
    payload = _payload(store, metrics)
    with _staff() as staff:
        while waiting or staff:
            while waiting and len(staff) < workers:
                staff.append(_Worker.started(payload, waiting.popleft()))
            for worker in _heard(staff, timeout):
                finding = worker.finding(metrics)
                if worker.has_ended or not (worker.chunk or waiting):
                    staff.remove(worker)
                    worker.dismiss()
                    waiting.extendleft([list(worker.chunk)] if worker.chunk else [])
                elif not worker.chunk:
                    worker.give(waiting.popleft())
                if finding is not None:
                    yield finding


def _payload(store: Store, metrics: Sequence[DerivedMetric]) -> bytes:
    with by_value():
        try:
            return dumped((store.config, tuple(metrics)))
        except Exception as error:  # whatever the objects' own __reduce__ does
            raise PayloadError(
                f"the derived metrics cannot be sent to another process ({type(error).__name__}: "
                f"{error}); compute them in this one, without workers"
            ) from error


@contextmanager
def _staff() -> Iterator[list[_Worker]]:
    staff: list[_Worker] = []
    try:
        yield staff
    finally:
        for worker in staff:
            worker.end()


def _heard(staff: Sequence[_Worker], timeout: float | None) -> list[_Worker]:
    """Wait until there is news of workers, if only that they are late, which ends them."""
    if timeout is None:
        ready = wait([worker.line for worker in staff])
        return [worker for worker in staff if worker.line in ready]
    now = time.monotonic()
    left = min(worker.since + timeout - now for worker in staff)
    ready = wait([worker.line for worker in staff], min(max(left, 0), _GLANCE))
    heard = [worker for worker in staff if worker.line in ready]
    for worker in staff:
        if worker not in heard and worker.since + timeout <= time.monotonic():
            worker.stop(timeout)
            heard.append(worker)
    return heard


@attrs.define(eq=False)
class _Worker:
    """A process, the line to it, and the tasks it has not answered, in their order.

    ``since`` is when it came to the first of them, by the monotonic clock: never while it begins.
    """

    process: subprocess.Popen[bytes]
    line: Connection
    chunk: deque[Task] = attrs.field(factory=deque)
    has_begun: bool = False
    has_ended: bool = False
    since: float = inf
    verdict: str | None = None

    @classmethod
    def started(cls, payload: bytes, chunk: Sequence[Task]) -> _Worker:
        ours, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            process = subprocess.Popen(  # noqa: S603  this interpreter
                [*interpreter(), "-m", _MODULE, str(number)],
                stdin=subprocess.DEVNULL,
                pass_fds=[number],
                # Ctrl-C is this process's to act on; it ends them all.
                start_new_session=True,
            )
        worker = cls(process, ours)
        with suppress(OSError):  # it has died, which the line will tell
            ours.send_bytes(pickle.dumps(Surroundings.here()))
            ours.send_bytes(payload)
        worker.give(chunk)
        return worker

    def give(self, chunk: Sequence[Task]) -> None:
        """Send it tasks."""
        self.chunk.extend(chunk)
        self._turn()
        with suppress(OSError):  # as above
            self.line.send_bytes(pickle.dumps(list(chunk)))

    def finding(self, metrics: Sequence[DerivedMetric]) -> Finding | None:
        """Return what it found of its next task, or blame its death on that; None if it began."""
        # What the function started may have left the group, and hold the line of one that is gone.
        if self.verdict is not None and not self.line.poll():
            return self._obituary(metrics)
        try:
            told = pickle.loads(self.line.recv_bytes())  # noqa: S301  started by this process
        except (EOFError, OSError):
            return self._obituary(metrics)
        if told == READY:
            self.has_begun = True
            self._turn()
            return None
        if isinstance(told, PayloadError):
            raise told
        self.chunk.popleft()
        self._turn()
        # Of one that was ended while it answered nothing else is to come.
        self.has_ended = self.verdict is not None
        return cast("Finding", told)

    def stop(self, timeout: float) -> None:
        """End it for what it has not answered in time, unless the answer has come meanwhile."""
        if not self.line.poll():
            self.verdict = f"it took longer than timeout={timeout:g} seconds and was ended"
            self._kill()
            self.process.wait()

    def _turn(self) -> None:
        self.since = time.monotonic() if self.has_begun else inf

    def _obituary(self, metrics: Sequence[DerivedMetric]) -> Finding:
        self.has_ended = True
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_PATIENCE)
        how = self.verdict or f"its process ended with exit status {self.process.poll()}"
        if not self.has_begun:
            raise PayloadError(f"no derived metric can be computed in another process: {how}")
        run_id, places = self.chunk.popleft()
        names = ", ".join(repr(metrics[place].name) for place in places)
        return Finding(run_id, None, {}, [f"derived metric {names} of run {run_id}: {how}"])

    def dismiss(self) -> None:
        """Let it end by itself."""
        self.line.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_PATIENCE)
        self.end()

    def end(self) -> None:
        """Let neither it nor what it started go on."""
        self.line.close()
        self._kill()
        self.process.wait()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # its group is gone
            killpg(self.process.pid, SIGKILL)
