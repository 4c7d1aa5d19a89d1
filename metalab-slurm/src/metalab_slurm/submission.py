"""One batch on its way through a cluster, as a process follows it that may not have begun it.

The store tells what becomes of the runs, at no cost to Slurm. The queue is asked now and then
whether any pilot is left, and pilots that are gone before their work are replaced.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from metalab.errors import ExperimentFailedError, StoreError
from metalab.execution.base import Submission
from metalab.execution.trail import Trail
from metalab_slurm.commands import SlurmError, SlurmUnavailable
from metalab_slurm.hindrance import hindrance
from metalab_slurm.jobs import warnings_of
from metalab_slurm.undertaking import last_words, level_of, pauses, surrender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.execution.base import Batch
    from metalab_slurm.jobs import Job
    from metalab_slurm.launch import SlurmLaunch

__all__ = ["SlurmSubmission"]

_LOG = logging.getLogger(__name__)
_SHORTEST, _LONGEST = 0.05, 2.0  # seconds between two looks at the store
_LATE = 0.1  # by what share of the time without news a look may be late
_RARE = 10.0  # how many times as long as a look took there is none
_FIRST_LOOK, _SLOWER = 2.0, 1.5  # seconds between two looks at the queue, and its growth
_CERTAIN = 10.0  # seconds for which no pilot may be seen before they count as gone
_SHOWN = 2.0  # the same where the queue shows that all have ended


class SlurmSubmission(Submission):
    """Follows a launch, and keeps it going while this process lives."""

    is_detached = True

    def __init__(self, launch: SlurmLaunch, batch: Batch) -> None:
        self.launch = launch
        self._batch = batch
        self._trail = Trail(batch)
        self._awake = threading.Event()
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._closing = threading.Lock()
        self._is_closed = False
        self._wants_cancel = self._wants_pilots = False
        self._jobs: Sequence[Job] = ()
        self._asked_at = float("-inf")
        self._pause = _FIRST_LOOK
        self._gone_since: float | None = None
        self._reached = self._trail.left, 0  # when pilots were submitted last
        self._barren = 0  # how often they were, since something was reached
        self._is_blind = self._is_called_off = False
        self._told: set[str] = set()
        self._pid = os.getpid()
        threading.Thread(target=self._run, name="metalab-slurm", daemon=True).start()

    # As a Submission.

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every run has ended, and its derived metrics are there, or nobody is at them.

        Raises RuntimeError in a fork.
        """
        self._check_process(self._pid)
        return self._done.wait(timeout)

    def cancel(self) -> None:
        """End all jobs of the launch, those that wait as well; returns at once."""
        self._wants_cancel = True
        self._awake.set()

    def resubmit(self) -> bool:
        """Have pilots submitted for what is left, though others may be at work; returns at once.

        False if the launch has ended, and nobody is left who would.
        """
        with self._closing:
            if self._is_closed:
                return False
            self._wants_pilots = True
        self._awake.set()
        return True

    def error(self) -> BaseException | None:
        """Return what stopped the launch, if that was no run's own failure."""
        return self._error

    def secure(self) -> None:
        """Do nothing: pilots make durable what they finish."""

    def announcement(self) -> str:
        """Name the jobs that were submitted."""
        return self.launch.summary()

    @property
    def jobs(self) -> Sequence[Job]:
        """The jobs that the last look at the queue found."""
        return self._jobs

    # The launch's own thread.

    def _run(self) -> None:
        last_news = time.monotonic()
        try:
            self._look()  # a launch that is over has no need of the queue
            while not (self._is_over() and self._closes()):
                began = time.monotonic()
                has_news = self._look()
                ended = time.monotonic()
                last_news = ended if has_news else last_news
                if self._is_open:
                    pause = max(_LATE * (ended - last_news), _RARE * (ended - began))
                    self._awake.wait(max(_SHORTEST, min(pause, _LONGEST)))
                    self._awake.clear()
        except BaseException as error:  # noqa: BLE001  result() raises it where the user waits
            self._error = self._error or error
        finally:
            self._is_closed = True
            self._batch.ledger.finish()
            self._done.set()

    def _closes(self) -> bool:
        """Whether nobody has asked for further pilots while the launch was found to be over."""
        with self._closing:
            self._is_closed = not (self._wants_pilots and self._is_open)
            return self._is_closed

    @property
    def _is_open(self) -> bool:
        """Whether runs have not ended, or lack derived metrics that pilots compute after that."""
        return bool(self._trail.left or self._trail.underived())

    def _is_over(self) -> bool:
        """Do what is due at the queue; True once there is nothing more to wait for."""
        if not self._is_open:
            return True
        if self._wants_cancel:
            self._cancel()
        if self._wants_pilots:
            self._wants_pilots = self._is_called_off = False
            self._error = None
            self.launch.revive()
            if not self._place():
                return True
        if time.monotonic() - self._asked_at < self._pause:
            return False
        return self._are_pilots_gone() and not self._replace()

    def _look(self) -> bool:
        try:
            found = self._trail.look()
        except StoreError as error:  # a network file system may fail for a while
            self._is_blind = True
            self._say(f"the store cannot be read now: {error}")
            return False
        self._is_blind = False
        return found

    def _say(self, words: str) -> None:
        """Say something once."""
        if words not in self._told:
            self._told.add(words)
            _LOG.warning("%s: %s", self._batch.plan.experiment_id, words)

    # The queue.

    def _are_pilots_gone(self) -> bool:
        """Ask the queue; True once no pilot was there at two looks, far enough apart."""
        self._asked_at = now = time.monotonic()
        try:
            jobs = self.launch.jobs()
        except SlurmUnavailable as error:
            if not self._trail.left:  # whoever looks later finds what pilots still compute
                return True
            # Unknown is not gone.
            self._gone_since = None
            self._pause = self._slower()
            self._say(f"Slurm does not answer, and is asked again: {error}")
            return False
        self._heed(jobs)
        if any(job.is_alive for job in jobs):
            self._gone_since = None
            return False
        if self._gone_since is None:
            self._gone_since = now
        # A job that is being put back into the queue is in no state for a moment.
        left = self._gone_since + (_SHOWN if self.launch.knows_all(jobs) else _CERTAIN) - now
        self._pause = max(0.1, min(self._pause, left))
        return left <= 0

    def _heed(self, jobs: Sequence[Job]) -> None:
        states = [(job.job_id, job.state, job.restarts) for job in jobs]
        known = [(job.job_id, job.state, job.restarts) for job in self._jobs]
        self._pause = self._slower() if states == known else _FIRST_LOOK
        self._jobs = jobs
        for words in warnings_of(jobs):
            self._say(words)

    def _slower(self) -> float:
        return min(_SLOWER * self._pause, self.launch.config.poll)

    def _cancel(self) -> None:
        self._wants_cancel, self._is_called_off = False, True
        try:
            self.launch.cancel()
        except OSError as error:
            self._say(f"other processes cannot be told that it was cancelled: {error}")
        except SlurmError as error:
            self._say(f"pilots end by themselves; Slurm itself does not end them: {error}")
        self._pause, self._asked_at = _SHORTEST, float("-inf")

    # Pilots that are gone.

    def _replace(self) -> bool:
        """Submit pilots for what those that are gone have left; False if that is given up."""
        self._look()
        if self._is_blind:
            return self._put_off()
        left = self._trail.left
        if not left or self._is_cancelled() or self._has_failed_enough():
            return False
        if words := hindrance(self.launch):
            self._error = ExperimentFailedError(f"{left} runs are left without a job. {words}")
            return False
        reached = left, pauses(self.launch, self._trail)
        barren = self._barren + 1 if reached == self._reached else 0
        if barren > self._most_barren:
            self._error = self._surrender(barren)
            return False
        return self._place(barren)

    def _put_off(self) -> bool:
        """Begin to look for pilots anew, after a while; always True."""
        self._gone_since, self._pause = None, self.launch.config.poll
        return True

    def _is_cancelled(self) -> bool:
        return self._is_called_off or self.launch.is_cancelled()

    def _has_failed_enough(self) -> bool:
        limit = self.launch.dispatch.on_failure
        return limit is not None and self._batch.ledger.counts()["failed"] >= limit

    def _place(self, barren: int = 0) -> bool:
        left = self._trail.left
        try:
            placed = self.launch.place(left, level_of(self.launch, self._trail))
        except SlurmUnavailable as error:
            self._say(f"Slurm does not answer, and is asked again: {error}")
            return self._put_off()
        except (SlurmError, OSError) as error:
            self._error = ExperimentFailedError(
                f"{left} runs are left, and no further job can be submitted: {error}"
            )
            return False
        self._reached, self._barren = (left, pauses(self.launch, self._trail)), barren
        self._gone_since, self._pause = None, _FIRST_LOOK
        _LOG.info("%d runs are left: %d further pilots submitted", left, placed.pilots)
        return True

    @property
    def _most_barren(self) -> int:
        """How often pilots are replaced without a run having ended, or saved itself, meanwhile.

        The one run that is left may have had all its attempts by then, and one more that ended
        before anybody knew of it.
        """
        return self.launch.config.attempts + self.launch.rules.steps(self.launch.config)

    def _surrender(self, barren: int) -> BaseException | None:
        words = last_words(self.launch)
        surrender(self.launch, self._batch, self._trail, words)
        self._look()
        if not self._trail.left:
            return None
        return ExperimentFailedError(
            f"{self._trail.left} runs of {self._batch.plan.experiment_id} are left, and "
            f"{barren} times in a row the jobs that were to execute them ended without "
            f"having finished any. {words} What was finished is kept; handle.resubmit() or "
            "metalab.run goes on from there"
        )
