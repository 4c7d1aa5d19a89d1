"""The crew: the worker processes there are, and what each of them is given to do."""

from __future__ import annotations

import logging
import selectors
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from metalab.execution.process.death import LEFT
from metalab.execution.process.member import Member
from metalab.execution.task import FINISH, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.execution.process.submission import ProcessSubmission

__all__ = ["Crew"]

_LOG = logging.getLogger(__name__)
_PATIENCE = 0.5  # seconds that workers get to end by themselves


class Crew:
    """Keeps up to ``size`` workers, and deals them the tasks of the submissions there are.

    ``least`` workers are started next, whether or not there is work. The workers' channels are
    registered with the selector. To be used by one thread.
    """

    def __init__(
        self,
        size: int,
        threads: int,
        submissions: Mapping[int, ProcessSubmission],
        selector: selectors.BaseSelector,
        *,
        sheltered: bool = False,
    ) -> None:
        self.size = size
        self.least = 0
        self.members: list[Member] = []
        self._threads = threads
        self._sheltered = sheltered
        self._submissions = submissions
        self._selector = selector

    @property
    def is_busy(self) -> bool:
        """Whether any worker has something to do."""
        return any(member.queue for member in self.members)

    @property
    def ahead(self) -> float:
        """How many seconds pass before the first of those at work is likely to need more."""
        return min((member.ahead for member in self.members if member.queue), default=0.0)

    def staff(self) -> None:
        """Start as many workers as there is work for."""
        work = sum(submission.tray.available for submission in self._submissions.values())
        busy = sum(bool(member.queue) for member in self.members)
        wanted = max(self.least, min(self.size, busy + work))
        self.least = 0
        while len(self.members) < wanted:
            try:
                member = Member(self._new_name(), self._threads, sheltered=self._sheltered)
            except OSError as error:  # no more processes, or memory, for now
                if not self.members:
                    raise
                _LOG.warning("no more than %d workers: %s", len(self.members), error)
                self.size = len(self.members)
                return
            self.members.append(member)
            self._selector.register(member.channel, selectors.EVENT_READ, member)

    def _new_name(self) -> str:
        taken = {member.name for member in self.members}
        return next(str(n) for n in range(len(taken) + 1) if str(n) not in taken)

    def excuse(self) -> None:
        """Have the deaths of those that are about to start say nothing of later ones."""
        for member in self.members:
            member.is_excused = True

    def part_with(self, member: Member) -> None:
        """Let go of a worker that is gone."""
        self.ignore(member)
        self.members.remove(member)

    def ignore(self, member: Member) -> None:
        """Listen to a worker no more."""
        if not member.is_deaf:
            member.is_deaf = True
            self._selector.unregister(member.channel)

    def dismiss(self) -> None:
        """Let all workers end, which have nothing to do."""
        self.least = 0
        for member in self.members:
            member.dismiss()
        deadline = time.monotonic() + _PATIENCE
        for member in self.members[:]:
            while not member.has_died() and time.monotonic() < deadline:
                time.sleep(0.001)
            member.kill(LEFT)
            member.process.wait()
            self.part_with(member)
            member.close()

    def kill(self) -> None:
        """End all workers at once."""
        for member in self.members:
            member.kill(LEFT)

    # Dealing.

    def deal(self) -> None:
        """Give each worker what keeps it busy until the next look, the idlest first."""
        members = [member for member in self.members if member.verdict is None]
        members.sort(key=lambda member: len(member.queue))
        self._deal_to(members)
        if members and not members[0].queue and self._take_from_backlogs(members):
            self._deal_to(members)
        elif members:
            self._leave_to_others(members, min(member.held_up for member in members))

    def _leave_to_others(self, members: list[Member], seconds: float) -> None:
        """Have submissions give up what no worker comes to soon, since all are held up."""
        patient = [each for each in self._submissions.values() if seconds < each.patience]
        if len(patient) < len(self._submissions):
            self._take_from_backlogs(members)
        for submission in self._submissions.values():
            if submission not in patient and submission.tray.available:
                submission.tray.leave()

    def _deal_to(self, members: list[Member]) -> None:
        for submission in self._submissions.values():
            while submission.tray.available:
                hungry = [member for member in members if member.wanted > 0]
                if not hungry:
                    break
                fair = max(1, submission.tray.available // len(members))
                for member in hungry:
                    if tasks := submission.tray.take(min(member.wanted, fair)):
                        self._give(member, submission, tasks)
            # A worker that is not there, or no more, is started once there is work for it.
            missing = self.size - len(self.members)
            wanted = missing + sum(max(0, member.wanted) for member in members)
            is_urgent = missing > 0 or not all(member.queue for member in members)
            submission.tray.ask_for(wanted, urgently=is_urgent)

    def _give(self, member: Member, submission: ProcessSubmission, tasks: list[Task]) -> None:
        number = submission.number
        if number not in member.launches:
            member.launches[number] = ""
            member.awaiting[number] = deque()
            _send(member, "launch", number, submission.told, file=submission.payload)
            if submission.kinds_told:
                _send(member, "events", number, sorted(submission.kinds_told))
        member.give(tasks)

    def _take_from_backlogs(self, members: list[Member]) -> bool:
        """Take back what the others have not begun, for those that have nothing to do."""
        taken = [self._take_back(member) for member in members if len(member.queue) > 1]
        return any(taken)

    def _take_back(self, member: Member, only: ProcessSubmission | None = None) -> bool:
        """Give what a worker has not begun back to its submissions, or to one; False if nothing.

        The worker keeps what is to end a launch.
        """
        keep: list[Task] = []
        back: dict[int, list[Task]] = {}
        for task in member.take_back():
            if task.flags & FINISH or (only is not None and task.launch != only.number):
                keep.append(task)
            else:
                back.setdefault(task.launch, []).append(task)
        if keep:
            member.give(keep)
        for number, tasks in back.items():
            self._submissions[number].tray.give_back(tasks)
        return bool(back)

    # What submissions ask for.

    def withdraw(self, submission: ProcessSubmission) -> None:
        """Take back what is not begun of a submission."""
        for member in self.members:
            self._take_back(member, submission)

    def tell(self, submission: ProcessSubmission, kind: str, *details: Any) -> None:
        """Send a message about a submission to the workers that know it."""
        for member in self.members:
            if submission.number in member.launches:
                _send(member, kind, submission.number, *details)

    def finish(self, submission: ProcessSubmission) -> None:
        """Have each worker end its part of a submission, which is told which they are."""
        there = [m for m in self.members if submission.number in m.launches]
        submission.tray.expect({member.name for member in there})
        for member in there:
            member.give([Task(launch=submission.number, flags=FINISH)])


def _send(member: Member, *message: Any, file: int | None = None) -> None:
    try:
        member.channel.send(*message, file=file)
    except OSError:  # it has died: that is seen to at the next look
        return
