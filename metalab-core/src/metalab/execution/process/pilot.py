"""Pilots: processes that some scheduler starts, each of which executes runs of a dispatch.

Any number of pilots work on one dispatch, on any machines that share its store: they claim
units of its runs, so that together they execute each run once. A pilot looks after worker
processes of its own and runs none of the user's code itself. It ends when nothing is left to
claim, when its time is nearly up, or when it is asked to; what it has not finished then is
for others.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs

from metalab.events import EventKind
from metalab.execution.ledger import Ledger
from metalab.execution.parcel import fetch_parcel
from metalab.execution.process.station import Station
from metalab.execution.process.submission import ProcessSubmission
from metalab.execution.process.supervisor import Supervisor
from metalab.store.causes import Cause
from metalab.store.claiming import Claim
from metalab.store.reading import Loss

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metalab.events import Event
    from metalab.execution.dispatch import Dispatch

__all__ = ["Farewell", "Notice", "Pilot", "Terms"]

_LOOK_EVERY = 0.25
_IDLE = 5.0  # seconds without anything to do, though others are at work, before it leaves
_CLOSING = 5.0  # seconds that workers' segments may take to be closed


def _never() -> None:
    """Say of a place that it has no end."""


@attrs.frozen(kw_only=True)
class Terms:
    """On what terms a pilot works.

    ``workers`` are its worker processes, ``threads`` those of numerical libraries in each.
    ``until`` is called once, while workers start, and returns the time.monotonic() at which its
    place ends, None where it has no end. Its runs are asked to save themselves ``margin``
    seconds before that.

    It executes ``most`` runs at most; a run is tried until it has died ``attempts`` times, and
    for ``allowance`` see Batch. One that ``derives`` computes the derived metrics that runs done
    before lack: of several pilots one is enough. ``owner`` is what its scheduler calls it,
    ``label`` what records do.
    """

    workers: int = 1
    threads: int = 1
    until: Callable[[], float | None] = _never
    margin: float = 30.0
    most: int | None = None
    attempts: int = 3
    allowance: Mapping[str, int] = attrs.field(factory=dict)
    derives: bool = True
    owner: str
    label: str


@attrs.frozen
class Notice:
    """Why a pilot is asked to end, and how many seconds it has, where that is known."""

    reason: str
    seconds: float | None = None


@attrs.frozen
class Farewell:
    """How a pilot ended: ``reason`` is "" where nothing was left for it, ``left`` how many
    runs had not ended anywhere that it knew of, ``cut`` how many of its own were cut short.
    """

    reason: str
    left: int
    cut: int


class Pilot:
    """Executes runs of a dispatch in worker processes; to be run once, by one thread.

    ``asked`` is called a few times a second, and says whether the pilot is asked to end.
    """

    def __init__(
        self, dispatch: Dispatch, terms: Terms, asked: Callable[[], Notice | None]
    ) -> None:
        self._dispatch = dispatch
        self._terms = terms
        self._asked = asked
        self._store = dispatch.config.open()
        self._ledger = Ledger(len(dispatch.pending))
        self._began = time.monotonic()
        self._until: float | None = None
        self._slowest = 0.0
        self._idle_since: float | None = None
        self._cut: list[tuple[str, int, int, float]] = []

    def run(self) -> Farewell:
        """Execute runs until none is left to claim, or it has to end.

        Raises what a launch is refused with, such as PayloadError, and StoreError.
        """
        terms = self._terms
        supervisor = Supervisor(terms.workers, terms.threads, sheltered=True)
        try:
            supervisor.start(terms.workers)  # while this process reads what they are to do
            submission = self._submitted(supervisor)
            reason = self._attend(submission)
        finally:
            supervisor.close()
            supervisor.over.wait(_CLOSING)
        if (error := submission.error()) is not None:
            raise error
        self._account_for_cut(reason)
        counts = self._ledger.counts()
        left = len(self._dispatch.pending) - counts["completed"] - counts["failed"]
        return Farewell(reason, left, len(self._cut))

    def _submitted(self, supervisor: Supervisor) -> ProcessSubmission:
        terms = self._terms
        self._until = terms.until()
        parcel = fetch_parcel(self._store, self._dispatch.payload)
        batch = attrs.evolve(
            self._dispatch.batch(self._store, self._ledger),
            until=self._until,
            attempts=terms.attempts,
            is_shared=True,
            quota=terms.most,
            allowance=terms.allowance,
            underived=self._dispatch.underived if terms.derives else (),
        )
        self._ledger.listen(self._note_cut, frozenset({EventKind.RUN_CANCELLED}))
        station = Station(
            executor=self._dispatch.executor,
            surroundings=parcel.surroundings,
            owner=terms.owner,
            label=terms.label,
            takes_edits=True,
        )
        return ProcessSubmission(batch, supervisor, station, parcel.packed)

    # Attending.

    def _attend(self, submission: ProcessSubmission) -> str:
        """Wait for the end, and bring it about where there is a reason; returns the reason."""
        reason = ""
        while not submission.wait(_LOOK_EVERY):
            now = time.monotonic()
            if (notice := self._asked() or self._due(now)) is not None:
                self._wind_down(submission, notice)
                return notice.reason
            self._measure(now)
            if not reason and (reason := self._reason_to_stop(submission, now)):
                submission.stop()
        return reason

    def _due(self, now: float) -> Notice | None:
        until, margin = self._until, self._terms.margin
        return None if until is None or now < until - margin else Notice("time")

    def _reason_to_stop(self, submission: ProcessSubmission, now: float) -> str:
        """Say why no further run is to begin, though those under way go on to their end."""
        limit = self._dispatch.on_failure
        if limit is not None and self._ledger.counts()["failed"] >= limit:
            return "failures"
        if self._is_too_late(now):
            return "time"
        return "idle" if self._is_dispensable(submission, now) else ""

    def _measure(self, now: float) -> None:
        """Learn how long a run may take, from those that are under way."""
        begun = self._ledger.under_way().values()
        if begun:
            self._slowest = max(self._slowest, now - min(begun))

    def _is_too_late(self, now: float) -> bool:
        """Tell whether a run that began now might not end in time."""
        until = self._until
        return until is not None and now > until - self._terms.margin - self._slowest

    def _is_dispensable(self, submission: ProcessSubmission, now: float) -> bool:
        """Tell whether there has been nothing to do for a while, and another pilot stands by.

        One of those without work stays, to take over what those at work may leave behind.
        """
        if not submission.is_waiting:
            self._idle_since = None
            return False
        self._idle_since = self._idle_since or now
        return now - self._idle_since > _IDLE and not self._stands_by(submission.writer)

    def _stands_by(self, writer: str) -> bool:
        claims = self._store.claims(f"{self._dispatch.digest}.{self._dispatch.launch}", 1)
        if claims is None:
            return False
        owner = claims.owners().get(0)
        if owner is not None and owner.writer == writer:
            return True
        if owner is not None and self._store.ending(owner.writer) is None:
            return False
        generation = 1 if owner is None else owner.generation + 1
        return claims.take(Claim(0, generation, writer, self._dispatch.launch))

    # Ending.

    def _wind_down(self, submission: ProcessSubmission, notice: Notice) -> None:
        """Have the runs under way save themselves, and end those that do not in time."""
        submission.cancel()
        grace = self._terms.margin if notice.seconds is None else notice.seconds
        if self._until is not None:
            grace = min(grace, self._until - time.monotonic() - _CLOSING)
        if not submission.wait(max(1.0, grace)):
            submission.secure()

    def _note_cut(self, event: Event) -> None:
        record = event.payload["record"]
        seconds = (record.duration_ms or 0.0) / 1000
        self._cut.append((record.run_id, record.epoch, record.attempt, seconds))

    def _account_for_cut(self, reason: str) -> None:
        """Say of the runs that were cut short why, so that those who go on count it."""
        if not self._cut or reason == "cancelled":
            return
        with self._store.writer(
            self._dispatch.launch,
            "pilot",
            executor=self._dispatch.executor,
            owner=self._terms.owner,
        ) as writer:
            for run_id, epoch, attempt, seconds in self._cut:
                cause = self._cause(run_id, epoch, attempt, seconds, reason)
                writer.put_loss(run_id, Loss(epoch, attempt, writer.name, cause.value))

    def _cause(self, run_id: str, epoch: int, attempt: int, seconds: float, reason: str) -> Cause:
        if self._store.has_checkpoint(run_id, epoch, attempt):
            return Cause.PAUSED
        # One that began late would have ended, had it begun with the pilot.
        had_its_time = seconds >= (time.monotonic() - self._began) / 2
        return Cause.TIMEOUT if reason == "time" and had_its_time else Cause.GONE
