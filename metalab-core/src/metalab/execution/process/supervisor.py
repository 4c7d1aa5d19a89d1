"""The supervisor of worker processes: looks how far they are, enforces limits, buries the dead.

It runs none of the user's code, and touches no store: what a launch has to write about its
runs, its submission does. One thread does all of it; what others want is left as an order.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections import deque
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from metalab.execution.process.crew import Crew
from metalab.execution.process.death import Death
from metalab.execution.task import FINISH, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab.execution.process.member import Member
    from metalab.execution.process.submission import ProcessSubmission

__all__ = ["Supervisor"]

_LOG = logging.getLogger(__name__)
_SHORTEST, _LONGEST = 0.005, 0.25  # seconds between two looks
_GRACE = 0.5  # seconds that a run has beyond its limit, to notice that itself
_IDLE = 60.0  # seconds that workers without work are kept
_MOST_STARTS = 3  # that fail one after the other


def _nothing() -> None:
    """Do nothing."""


class Supervisor:
    """Keeps up to so many worker processes for the submissions that are added to it.

    Workers that are ``sheltered`` leave it to their supervisor to heed SIGTERM, which some
    schedulers send to every process there is.
    """

    def __init__(self, workers: int, threads: int, *, sheltered: bool = False) -> None:
        self.over = threading.Event()
        self._lock = threading.RLock()  # a finalizer may give an order anywhere
        self._thread: threading.Thread | None = None
        self._orders: deque[Callable[[], object]] = deque()
        self._coming: deque[ProcessSubmission] = deque()
        self._error: BaseException | None = None
        self._awake, self._alarm = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(self._alarm, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._awake, selectors.EVENT_READ)
        self._submissions: dict[int, ProcessSubmission] = {}
        self._crew = Crew(workers, threads, self._submissions, self._selector, sheltered=sheltered)
        self._numbers = 0
        self.trouble: str | None = None  # why no workers can be started
        self._failed_starts = 0
        self._pause = _SHORTEST
        self._due: float | None = None  # seconds until a limit is reached
        self._idle_since: float | None = None
        self._closing = False

    # What others may call.

    @property
    def workers(self) -> int:
        """How many workers there may be."""
        return self._crew.size

    @property
    def ready(self) -> int:
        """How many workers have begun to wait for work."""
        return sum(member.is_started for member in self._crew.members)

    def add(self, submission: ProcessSubmission) -> None:
        """Take a submission, and give it its number; it is abandoned where this has ended."""
        with self._lock:
            self._numbers = self._numbers % 0xFFFF + 1
            submission.number = self._numbers
            self._coming.append(submission)
        self.wake()
        if self.over.is_set():
            self._abandon_coming()

    def start(self, workers: int) -> None:
        """Start so many workers now, whether or not there is work."""
        self._order(partial(setattr, self._crew, "least", min(workers, self.workers)))

    def wake(self) -> None:
        """Have it look for what is new."""
        self._order(_nothing)

    def finish(self, submission: ProcessSubmission) -> None:
        """Have every worker end its part of a submission, which is told of each."""
        self._order(partial(self._crew.finish, submission))

    def remove(self, submission: ProcessSubmission) -> None:
        """Forget a submission that is over."""
        self._order(partial(self._submissions.pop, submission.number, None))

    def withdraw(self, submission: ProcessSubmission) -> None:
        """Take back what is not begun of a submission."""
        self._order(partial(self._crew.withdraw, submission))

    def cancel(self, submission: ProcessSubmission) -> None:
        """Take back what is not begun of a submission, and ask its runs under way to stop."""
        self.withdraw(submission)
        self._order(partial(self._crew.tell, submission, "cancel"))

    def leave(self) -> None:
        """End all workers at once."""
        self._order(self._crew.kill)

    def close(self) -> None:
        """End once the submissions there are have ended."""
        self._order(partial(setattr, self, "_closing", True))

    def _order(self, order: Callable[[], object]) -> None:
        self._orders.append(order)
        with self._lock:
            if self.over.is_set():
                return
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="metalab-supervisor", daemon=True
                )
                self._thread.start()
            with suppress(BlockingIOError):  # it is being woken already
                os.write(self._alarm, b"!")

    # The thread. All that follows runs on it.

    def _run(self) -> None:
        try:
            while not (self._closing and not self._has_work):
                self._turn()
        except BaseException as error:  # noqa: BLE001  raised where the users wait; without it they would for ever
            self._give_up(error)
        finally:
            self._end()

    @property
    def _has_work(self) -> bool:
        return bool(self._submissions or self._orders or self._coming)

    def _give_up(self, error: BaseException) -> None:
        """End all workers and submissions, since this thread itself has failed."""
        self._error = error
        _LOG.critical("the supervisor of worker processes has failed", exc_info=error)
        self._crew.kill()
        for submission in list(self._submissions.values()):
            submission.abandon(error)

    def _end(self) -> None:
        self._crew.dismiss()
        with self._lock:
            self.over.set()
            self._selector.close()
            os.close(self._awake)
            os.close(self._alarm)
        self._abandon_coming()

    def _abandon_coming(self) -> None:
        """End submissions that came too late to be taken; any thread may find them."""
        with suppress(IndexError):
            while True:
                late = self._coming.popleft()
                late.abandon(self._error or RuntimeError("the worker processes have ended"))

    def _turn(self) -> None:
        while self._coming:
            submission = self._coming.popleft()
            self._submissions[submission.number] = submission
            # What kept workers from starting before it came need not be so any more.
            self._failed_starts = 0
            self._crew.excuse()
        while self._orders:
            self._orders.popleft()()
        if self._closing and not self._submissions:
            return
        changed, self._due = False, None
        for member in list(self._crew.members):
            # In this order: what a worker did before its death is seen then.
            has_died = member.has_died()
            changed |= self._look(member) or has_died
            if has_died:
                self._bury(member)
            else:
                self._enforce(member)
        self._tell_kinds()
        self._crew.staff()
        self._crew.deal()
        self._wait(self._until_next_look(changed=changed))

    def _wait(self, seconds: float | None) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                os.read(self._awake, 1 << 12)
                self._pause = _SHORTEST
            else:
                self._listen(key.data)

    def _until_next_look(self, *, changed: bool) -> float | None:
        if not self._crew.is_busy:
            return _LONGEST if self._submissions else self._until_idle()
        self._idle_since = None
        # A look costs a hundred times what it does for a run: as much as is out of the cache.
        soon = min(max(self._crew.ahead / 2, _SHORTEST), _LONGEST)
        self._pause = soon if changed else min(2 * self._pause, _LONGEST)
        return self._pause if self._due is None else max(0.001, min(self._pause, self._due))

    def _until_idle(self) -> float | None:
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        if not self._crew.members:
            return None
        if now - self._idle_since > _IDLE:
            self._crew.dismiss()
            return None
        return _IDLE

    # Looking.

    def _look(self, member: Member) -> bool:
        """See how far a worker has come, and tell the submissions; False if nothing is new."""
        begun, ended = member.look()
        if begun:
            self._failed_starts, self.trouble = 0, None
        # The end of a launch may be noted after the launch itself is forgotten.
        begun = [task for task in begun if not task.flags & FINISH]
        for launch, tasks in groupby(begun, _launch_of):
            self._submissions[launch].begun(list(tasks))
        endings = [ending for ending in ended if not ending.task.flags & FINISH]
        for launch, group in groupby(endings, _launch_of_ending):
            self._submissions[launch].ended(member, list(group))
        for launch, waiting in member.awaiting.items():
            if waiting:
                self._submissions[launch].settle(member, waiting)
        return bool(begun or ended)

    def _listen(self, member: Member, *, wait: bool = True) -> None:
        messages = member.channel.receive(wait=wait)
        if messages is None:  # it has died, or is about to
            self._crew.ignore(member)
            return
        self._look(member)
        for kind, *details in messages:
            self._hear(member, kind, details)

    def _hear(self, member: Member, kind: str, details: list[Any]) -> None:
        match kind:
            case "hungry":
                member.is_started = True
            case "events":
                for launch, event, place in details[0]:
                    self._submissions[launch].hear(event)
                    if place is not None:
                        member.board.settle(place)
            case "opened":
                member.launches[details[0]] = details[1]
            case "finished":
                self._end_of(member, details[0])
            case "refused":
                self._submissions[details[0]].refuse(*details[1:])

    def _end_of(self, member: Member, launch: int) -> None:
        self._look(member)  # what was settled by the events before this message
        member.launches.pop(launch, None)
        member.awaiting.pop(launch, None)
        self._submissions[launch].tray.ended(member.name)

    def _tell_kinds(self) -> None:
        """Tell the workers of which kinds of event somebody hears."""
        for submission in self._submissions.values():
            if submission.kinds_told != submission.kinds:
                submission.kinds_told = submission.kinds
                self._crew.tell(submission, "events", sorted(submission.kinds))

    # Limits.

    def _enforce(self, member: Member) -> None:
        """End a worker whose run takes longer than it may."""
        task = member.under_way
        if task is None or task.flags & FINISH:
            return
        timeout = self._submissions[task.launch].timeout
        if timeout is None or (seconds := member.seconds()) is None:
            return
        left = timeout - seconds
        if left + _GRACE <= 0:
            # Between the look and the kill another task may have begun: that one is done anew.
            member.end_overdue()
            return
        due = left if left > 0 else left + _GRACE
        self._due = due if self._due is None else min(due, self._due)

    # Deaths.

    def _bury(self, member: Member) -> None:
        """Tell the submissions of a worker that has died, and take back what it had."""
        while not member.is_deaf:  # what it said before
            self._listen(member, wait=False)
        self._look(member)  # what was settled by that
        self._crew.part_with(member)
        task = member.under_way
        rest = list(member.queue)[0 if task is None else 1 :]
        for launch in list(member.launches):
            mine = task if task is not None and task.launch == launch else None
            submission = self._submissions[launch]
            submission.died(_death(member, launch, mine))
            submission.tray.give_back(
                [t for t in rest if t.launch == launch and not t.flags & FINISH]
            )
            submission.tray.ended(member.name)
        if not (member.is_started or member.is_excused or member.board.begun):
            self._count_failed_start(member)
        member.close()

    def _count_failed_start(self, member: Member) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _MOST_STARTS:
            how = member.how_it_ended()
            self.trouble = text = f"worker processes cannot be started: the last one {how}"
            for submission in self._submissions.values():
                submission.refuse("WorkerDiedError", text, member.last_words())


_launch_of = attrgetter("launch")
_launch_of_ending = attrgetter("task.launch")


def _death(member: Member, launch: int, task: Task | None) -> Death:
    return Death(
        worker=member.name,
        writer=member.launches[launch],
        how=member.how_it_ended(),
        words=member.last_words(),
        verdict=member.verdict,
        task=task,
        is_ready=member.board.is_ready,
        is_settled=member.board.durable(member.board.begun - 1, member.board.begun) == b"\1",
        seconds=(time.monotonic_ns() - member.board.since) / 1e9,
        orphans=list(member.awaiting.get(launch, ())),
    )
