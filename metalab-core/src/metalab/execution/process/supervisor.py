"""The supervisor of worker processes: deals tasks, looks how far they are, buries the dead.

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
from typing import TYPE_CHECKING, Any

from metalab.execution.process.death import LEFT, TIMEOUT, Death
from metalab.execution.process.host import DUMP
from metalab.execution.process.lane import FINISH, Task
from metalab.execution.process.member import Member

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab.execution.process.submission import ProcessSubmission

__all__ = ["Supervisor"]

_LOG = logging.getLogger(__name__)
_SHORTEST, _LONGEST = 0.01, 0.1  # seconds between two looks
_GRACE = 0.5  # seconds that a run has beyond its limit, to notice that itself
_IDLE = 60.0  # seconds that workers without work are kept
_MOST_STARTS = 3  # that fail one after the other


def _nothing() -> None:
    """Do nothing."""


class Supervisor:
    """Keeps up to so many worker processes for the submissions that are added to it."""

    def __init__(self, workers: int, threads: int) -> None:
        self.workers = workers
        self._threads = threads
        self._least = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._orders: deque[Callable[[], object]] = deque()
        self._awake, self._alarm = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(self._alarm, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._awake, selectors.EVENT_READ)
        self._submissions: dict[int, ProcessSubmission] = {}
        self._members: list[Member] = []
        self._names = 0
        self._numbers = 0
        self._failed_starts = 0
        self._pause = _SHORTEST
        self._idle_since: float | None = None
        self._closing = False
        self.over = threading.Event()

    # What others may call.

    def add(self, submission: ProcessSubmission) -> None:
        """Take a submission, and give it its number."""
        with self._lock:
            self._numbers = self._numbers % 0xFFFF + 1
            submission.number = self._numbers
        self._order(partial(self._submissions.__setitem__, submission.number, submission))

    def start(self) -> None:
        """Start all workers now, whether or not there is work."""
        self._order(partial(setattr, self, "_least", self.workers))

    @property
    def ready(self) -> int:
        """How many workers have begun to wait for work."""
        return sum(member.is_started for member in self._members)

    def wake(self) -> None:
        """Have it look for what is new."""
        self._order(_nothing)

    def finish(self, submission: ProcessSubmission) -> None:
        """Have every worker end its part of a submission, which is told of each."""
        self._order(partial(self._finish, submission))

    def remove(self, submission: ProcessSubmission) -> None:
        """Forget a submission that is over."""
        self._order(partial(self._submissions.pop, submission.number, None))

    def cancel(self, submission: ProcessSubmission) -> None:
        """Take back what is not begun of a submission, and ask its runs under way to stop."""
        self._order(partial(self._cancel, submission))

    def withdraw(self, submission: ProcessSubmission) -> None:
        """Take back what is not begun of a submission."""
        self._order(partial(self._withdraw, submission))

    def leave(self) -> None:
        """End all workers at once."""
        self._order(self._kill_all)

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
            while not (self._closing and not self._submissions and not self._orders):
                self._turn()
        except BaseException as error:  # noqa: BLE001  raised where the users wait; without it they would for ever
            self._give_up(error)
        finally:
            self._end()

    def _give_up(self, error: BaseException) -> None:
        """End all workers and submissions, since this thread itself has failed."""
        _LOG.critical("the supervisor of worker processes has failed", exc_info=error)
        self._kill_all()
        for submission in list(self._submissions.values()):
            submission.abandon(error)

    def _turn(self) -> None:
        while self._orders:
            self._orders.popleft()()
        changed = False
        for member in list(self._members):
            changed |= self._look(member)
            if member.has_died():
                self._bury(member)
                changed = True
            else:
                self._enforce(member)
        self._tell_kinds()
        self._staff()
        self._deal()
        self._wait(changed=changed)

    def _wait(self, *, changed: bool) -> None:
        for key, _ in self._selector.select(self._until_next_look(changed=changed)):
            if key.data is None:
                os.read(self._awake, 1 << 12)
                self._pause = _SHORTEST
            else:
                self._listen(key.data)

    def _until_next_look(self, *, changed: bool) -> float | None:
        if self._closing and not self._submissions:
            return 0.0
        if not any(member.queue for member in self._members):
            if self._submissions:
                return _LONGEST
            return self._until_idle()
        self._idle_since = None
        self._pause = _SHORTEST if changed else min(2 * self._pause, _LONGEST)
        return self._pause

    def _until_idle(self) -> float | None:
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        if not self._members:
            return None
        if now - self._idle_since > _IDLE:
            self._least = 0
            self._dismiss()
            return None
        return _IDLE

    # Looking.

    def _look(self, member: Member) -> bool:
        """See how far a worker has come, and tell the submissions; False if nothing is new."""
        begun, ended = member.look()
        if begun:
            self._failed_starts = 0
        # The end of a launch may be noted after the launch itself is forgotten.
        begun = [task for task in begun if not task.flags & FINISH]
        for launch in {task.launch for task in begun}:
            self._submissions[launch].begun([task for task in begun if task.launch == launch])
        for ending in ended:
            if ending.task.flags & FINISH:
                continue
            self._submissions[ending.task.launch].ended(member, ending)
        for launch, waiting in member.awaiting.items():
            if waiting:
                self._submissions[launch].settle(member, waiting)
        return bool(begun or ended)

    def _listen(self, member: Member, *, wait: bool = True) -> None:
        messages = member.channel.receive(wait=wait)
        if messages is None:  # it has died, or is about to
            self._selector.unregister(member.channel)
            member.is_deaf = True
            return
        self._look(member)
        for kind, *details in messages:
            self._hear(member, kind, details)

    def _hear(self, member: Member, kind: str, details: list[Any]) -> None:
        match kind:
            case "hungry":
                member.is_started = True
            case "events":
                for launch, event in details[0]:
                    self._submissions[launch].hear(event)
            case "opened":
                member.launches[details[0]] = details[1]
            case "finished":
                self._end_of(member, details[0])
            case "refused":
                self._submissions[details[0]].refuse(*details[1:])

    def _end_of(self, member: Member, launch: int) -> None:
        self._look(member)
        member.launches.pop(launch, None)
        member.awaiting.pop(launch, None)
        self._submissions[launch].finished(member.name)

    def _tell_kinds(self) -> None:
        """Tell the workers of which kinds of event somebody hears."""
        for number, submission in self._submissions.items():
            if submission.kinds_told != submission.kinds:
                submission.kinds_told = submission.kinds
                for member in self._members:
                    if number in member.launches:
                        self._send(member, "events", number, sorted(submission.kinds))

    def _send(self, member: Member, *message: Any, file: int | None = None) -> None:
        try:
            member.channel.send(*message, file=file)
        except OSError:  # it has died: that is seen to at the next look
            self._pause = 0.0

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
        self._pause = max(0.001, min(self._pause, left if left > 0 else left + _GRACE))
        if left <= 0 and member.was_asked != member.board.begun:
            member.was_asked = member.board.begun
            member.ask_where(DUMP)
        if left + _GRACE <= 0:
            # Between the look and the kill another task may have begun: that one is done anew.
            member.kill(TIMEOUT)

    def _kill_all(self) -> None:
        for member in self._members:
            member.kill(LEFT)

    # Deaths.

    def _bury(self, member: Member) -> None:
        """Tell the submissions of a worker that has died, and take back what it had."""
        self._members.remove(member)
        while not member.is_deaf:  # what it said before
            self._listen(member, wait=False)
        self._look(member)
        task = member.under_way
        rest = list(member.queue)[0 if task is None else 1 :]
        for launch in list(member.launches):
            mine = task if task is not None and task.launch == launch else None
            self._submissions[launch].died(self._death(member, launch, mine))
            back = [each for each in rest if each.launch == launch and not each.flags & FINISH]
            self._submissions[launch].give_back(back)
            self._submissions[launch].finished(member.name)
        if not (member.is_started or member.board.begun):
            self._count_failed_start(member)
        member.close()

    def _death(self, member: Member, launch: int, task: Task | None) -> Death:
        return Death(
            worker=member.name,
            writer=member.launches[launch],
            how=member.how_it_ended(),
            words=member.last_words(),
            verdict=member.verdict,
            task=task,
            is_ready=member.board.is_ready,
            seconds=(time.monotonic_ns() - member.board.since) / 1e9,
            orphans=list(member.awaiting.get(launch, ())),
        )

    def _count_failed_start(self, member: Member) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _MOST_STARTS:
            text = f"worker processes cannot be started: the last one {member.how_it_ended()}"
            for submission in self._submissions.values():
                submission.refuse("WorkerDiedError", text, member.last_words())

    # Dealing.

    def _staff(self) -> None:
        """Start as many workers as there is work for."""
        work = sum(submission.available for submission in self._submissions.values())
        busy = sum(bool(member.queue) for member in self._members)
        wanted = max(self._least, min(self.workers, busy + work))
        if self._closing and not self._submissions:
            return
        while len(self._members) < wanted:
            try:
                member = Member(self._new_name(), self._threads)
            except OSError as error:  # no more processes, or memory, for now
                if self._members:
                    _LOG.warning("only %d workers can be started: %s", len(self._members), error)
                    self.workers = len(self._members)
                    return
                raise
            self._members.append(member)
            self._selector.register(member.channel, selectors.EVENT_READ, member)

    def _new_name(self) -> str:
        taken = {member.name for member in self._members}
        return next(str(n) for n in range(len(taken) + 1) if str(n) not in taken)

    def _deal(self) -> None:
        """Give each worker what keeps it busy until the next look, the idlest first."""
        members = [member for member in self._members if member.verdict is None]
        if not members:
            return
        members.sort(key=lambda member: len(member.queue))
        self._deal_to(members)
        if not members[0].queue and self._take_from_backlogs(members):
            self._deal_to(members)

    def _deal_to(self, members: list[Member]) -> None:
        for submission in self._submissions.values():
            while submission.available:
                hungry = [member for member in members if member.wanted > 0]
                if not hungry:
                    break
                fair = max(1, submission.available // len(members))
                for member in hungry:
                    if tasks := submission.take(min(member.wanted, fair)):
                        self._give(member, submission, tasks)
            submission.ask_for(sum(max(0, member.wanted) for member in members))

    def _give(self, member: Member, submission: ProcessSubmission, tasks: list[Task]) -> None:
        if submission.number not in member.launches:
            member.launches[submission.number] = ""
            member.awaiting[submission.number] = deque()
            self._send(
                member, "launch", submission.number, submission.told, file=submission.payload
            )
            if submission.kinds_told:
                self._send(member, "events", submission.number, sorted(submission.kinds_told))
        member.give(tasks)

    def _take_from_backlogs(self, members: list[Member]) -> bool:
        """Take back what the others have not begun, for those that have nothing to do."""
        found = False
        for member in members:
            if len(member.queue) > 1:
                taken = member.take_back()
                found |= self._return(member, taken)
        return found

    def _return(self, member: Member, taken: list[Task]) -> bool:
        """Give tasks back to their submissions; a worker keeps the ends of launches."""
        keep = [task for task in taken if task.flags & FINISH]
        if keep:
            member.give(keep)
        for number, submission in self._submissions.items():
            submission.give_back([t for t in taken if t.launch == number and not t.flags & FINISH])
        return len(keep) < len(taken)

    # Orders.

    def _cancel(self, submission: ProcessSubmission) -> None:
        self._withdraw(submission)
        for member in self._members:
            if submission.number in member.launches:
                self._send(member, "cancel", submission.number)

    def _withdraw(self, submission: ProcessSubmission) -> None:
        for member in self._members:
            taken = member.take_back()
            others = [task for task in taken if task.launch != submission.number]
            if others:
                member.give(others)
            submission.give_back([task for task in taken if task.launch == submission.number])

    def _finish(self, submission: ProcessSubmission) -> None:
        there = [m for m in self._members if submission.number in m.launches]
        submission.expect({member.name for member in there})
        for member in there:
            member.give([Task(launch=submission.number, flags=FINISH)])

    # The end.

    def _dismiss(self) -> None:
        """Let all workers end, which have nothing to do."""
        for member in self._members:
            member.dismiss()
        deadline = time.monotonic() + _GRACE
        for member in self._members:
            while not member.has_died() and time.monotonic() < deadline:
                time.sleep(0.001)
            member.kill(LEFT)
            member.process.wait()
            if not member.is_deaf:
                self._selector.unregister(member.channel)
            member.close()
        self._members.clear()

    def _end(self) -> None:
        self._dismiss()
        with self._lock:
            self.over.set()
            self._selector.close()
            os.close(self._awake)
            os.close(self._alarm)
