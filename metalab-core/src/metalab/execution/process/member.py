"""A worker process as its supervisor sees it: what it was given, and how far it has come."""

from __future__ import annotations

import os
import subprocess
import time
from collections import deque
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from metalab.execution.process.board import STATUSES, Board
from metalab.execution.process.channel import Channel
from metalab.execution.process.death import TIMEOUT
from metalab.execution.process.host import (
    DUMP,
    anonymous_file,
    cut,
    described_end,
    end_group,
    lifeline,
)
from metalab.execution.process.lane import Lane
from metalab.execution.process.words import readable
from metalab.transport import interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metalab.execution.task import Task
    from metalab.records import Status

__all__ = ["Ending", "Member"]

_CHILD = "metalab.execution.process.child"
_CRASH_TEXT = 20_000
_FATAL = "Fatal Python error"
_LAST_WORDS, _SILENCE, _BETWEEN_WORDS = 1.0, 0.05, 0.001  # seconds
_LAST_WORD = b" in _run_module_as_main\n"  # where the main thread began, which is told of last
_AHEAD = 0.5  # seconds of work that a worker has before it
_LONG = 0.5  # seconds: a task that takes as long is not given before it is wanted
_GROWTH = 4  # tasks ahead for each that has ended: the first may be shorter than all others
_THREADS = (
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Ending(NamedTuple):
    """A task that has ended, and the code that says how; its place tells when it is durable.

    A tuple, as a Task is.
    """

    task: Task
    place: int
    code: int

    @property
    def status(self) -> Status | None:
        """How the run ended; None for what was no run."""
        return STATUSES[self.code]


class Member:
    """One worker process. To be used by one thread."""

    def __init__(self, name: str, threads: int, *, sheltered: bool = False) -> None:
        self.name = name
        with ExitStack() as ours, ExitStack() as theirs:
            self.lane = Lane()
            ours.callback(self.lane.close)
            self.channel, end = Channel.pair()
            ours.callback(self.channel.close)
            theirs.callback(end.close)
            self._crash = anonymous_file("metalab-crash")
            ours.callback(os.close, self._crash)
            board = anonymous_file("metalab-board")
            theirs.callback(os.close, board)
            self.board = Board(board)
            ours.callback(self.board.close)
            watched, line = lifeline()
            ours.callback(cut, line)
            theirs.callback(os.close, watched)
            given = (self.lane.descriptor, end.fileno(), board, watched, self._crash)
            self.process = _started(name, given, threads, sheltered=sheltered)
            self._shared = ours.pop_all()
        self.queue: deque[Task] = deque()  # given and not known to have ended
        self.launches: dict[int, str] = {}  # those announced to it, and its writers
        self.awaiting: dict[int, deque[Ending]] = {}  # by launch: ended, and not known durable
        self.is_started = False
        self.is_excused = False  # whether it may fail to start without that being counted
        self.is_deaf = False  # whether its channel has been closed
        self.verdict: str | None = None
        self._begun = 0
        self._ended = 0
        self._busy = 0
        self._pace = _LONG  # until more is known

    # What it was given.

    def give(self, tasks: list[Task]) -> None:
        """Add tasks to its lane."""
        self.queue.extend(tasks)
        self.lane.put(tasks)

    def take_back(self) -> list[Task]:
        """Take from its lane what it has not begun."""
        taken = self.lane.take_back()
        for task in reversed(taken):
            # The newest are last; one that it took meanwhile may stand between them.
            self._remove_last(task)
        return taken

    def _remove_last(self, task: Task) -> None:
        passed = []
        while (last := self.queue.pop()) != task:
            passed.append(last)
        self.queue.extend(reversed(passed))

    @property
    def wanted(self) -> int:
        """How many tasks more it should have, so as not to be idle before the next look.

        Where a task takes long, it asks for the next one when it is done: until then that
        is any other worker's, or another launch's, to take.
        """
        if self._pace >= _LONG or self.held_up >= _LONG:
            return 1 - len(self.queue)
        ahead = min(int(_AHEAD / max(self._pace, 1e-7)), _GROWTH * self._ended)
        return min(2 + ahead, Lane.ROOM) - len(self.queue)

    @property
    def ahead(self) -> float:
        """How many seconds it is likely to be busy with what it has."""
        return len(self.queue) * self._pace

    # How far it has come.

    def look(self) -> tuple[list[Task], list[Ending]]:
        """Return the tasks that it has begun since the last look, and those that have ended."""
        # In this order: what has ended was begun before, and it goes on while this looks.
        after = self.board.ended
        begun = self.board.begun
        first, known = self._ended, self._begun
        new = list(islice(self.queue, known - first, begun - first))
        self._begun, self._ended = begun, after
        if first == after:
            return new, []
        take = self.queue.popleft
        codes = self.board.codes(first, after)
        ended = [Ending(take(), first + n, code) for n, code in enumerate(codes)]
        self._learn(after - first)
        return new, ended

    def _learn(self, tasks: int) -> None:
        """Learn from the tasks that ended how long one takes."""
        busy = self.board.busy
        pace = (busy - self._busy) / tasks / 1e9
        self._busy = busy
        self._pace = min(pace, (self._pace + pace) / 2)

    @property
    def under_way(self) -> Task | None:
        """The task that it has begun and not ended; certain once it is dead."""
        return self.queue[0] if self.board.begun > self.board.ended else None

    def seconds(self) -> float | None:
        """Return how long the operation under way has taken so far; None if none is."""
        board = self.board
        place, since = board.begun, board.since
        if not board.is_ready or board.ended >= place or board.begun != place:
            return None
        return (time.monotonic_ns() - since) / 1e9

    @property
    def held_up(self) -> float:
        """How many seconds the operation under way has taken so far; 0 if none is."""
        return self.seconds() or 0.0

    # Its end.

    def end_overdue(self) -> None:
        """Have it write down where its threads are, and end it, since a run took too long.

        Not asked before that is certain: the interpreter walks frames that its threads change
        meanwhile, and may die of it.
        """
        if self.verdict is None:  # else it is about to die, and says nothing more
            self.verdict = TIMEOUT
            self._await_words()
        self.kill(TIMEOUT)

    def _await_words(self) -> None:
        before = size = self._words_size
        self.process.send_signal(DUMP)
        deadline = time.monotonic() + _LAST_WORDS
        while time.monotonic() < deadline and not self.has_died():
            time.sleep(_BETWEEN_WORDS)
            last, size = size, self._words_size
            if size > last:
                # Others may have its processor between any two words.
                deadline = time.monotonic() + _SILENCE
            if size > before and self._has_said_all(size):
                break

    def _has_said_all(self, size: int) -> bool:
        return os.pread(self._crash, len(_LAST_WORD), max(0, size - len(_LAST_WORD))) == _LAST_WORD

    @property
    def _words_size(self) -> int:
        return os.fstat(self._crash).st_size

    def kill(self, verdict: str) -> None:
        """End it at once, with all that it started; the verdict says why."""
        self.verdict = self.verdict or verdict
        end_group(self.process.pid)

    def has_died(self) -> bool:
        """Tell whether it is gone."""
        return self.process.poll() is not None

    def last_words(self) -> str:
        """Return what the interpreter wrote down as it died, or was asked to."""
        text = os.pread(self._crash, _CRASH_TEXT, max(0, self._words_size - _CRASH_TEXT))
        told = text.decode(errors="replace")
        if self.verdict == TIMEOUT:  # what it may have died of while it wrote is no news of the run
            told = told.partition(_FATAL)[0]
        return readable(told)

    def how_it_ended(self) -> str:
        """Say how the process ended."""
        return described_end(self.process.returncode)

    def dismiss(self) -> None:
        """Let it end once its lane is empty."""
        self.lane.end()

    def close(self) -> None:
        """Let go of all that was shared with it, after its death."""
        end_group(self.process.pid)  # what it started may still be there
        self._shared.close()


def _started(
    name: str, given: Sequence[int], threads: int, *, sheltered: bool
) -> subprocess.Popen[bytes]:
    words = [name, *map(str, given), str(int(sheltered))]
    return subprocess.Popen(  # noqa: S603  this interpreter
        [*interpreter(), "-m", _CHILD, *words],
        stdin=subprocess.DEVNULL,
        pass_fds=given,
        start_new_session=True,
        env=_environment(threads),
    )


def _environment(threads: int) -> Mapping[str, str]:
    """Return this process's environment, with the threads of numerical libraries bounded."""
    return {**dict.fromkeys(_THREADS, str(threads)), **os.environ}
