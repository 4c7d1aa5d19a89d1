"""Sharing: which runs of a batch this launch executes, and what becomes of the others.

Several launches of one experiment claim units of its plan, so that together they execute
each run once. Where no unit is left to claim, a launch waits for the others: their runs count
for it as they end, and the units of a launch that died are claimed anew.
"""

from __future__ import annotations

import heapq
import logging
import threading
from bisect import bisect_left
from collections import Counter, deque
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from metalab.errors import StoreError
from metalab.execution.claimant import Claimant
from metalab.execution.inheritance import Inheritance, Try
from metalab.store.claiming import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from metalab.execution.base import Batch
    from metalab.store.base import StoreWriter
    from metalab.store.claiming import Claim, Claims

__all__ = ["Share"]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_LOOK_EVERY = 1.0  # seconds that what is known of others is good for
_FOLLOW_EVERY = 2.0
_LOG = logging.getLogger(__name__)
_RELEASED = Ending("closed")


class Share:
    """Deals the runs of a batch to the threads that ask, unit by unit, in plan order.

    A batch's quota is kept by ``take`` alone. ``another`` opens one more writer of the launch:
    with it units can be given up while the launch goes on.
    """

    def __init__(
        self,
        batch: Batch,
        writer: StoreWriter,
        another: Callable[[], StoreWriter] | None = None,
    ) -> None:
        self._batch = batch
        self._plan = batch.plan.digest
        self._claimant = Claimant(self._plan, batch.launch, writer, another)
        self._claims = batch.store.claims(self._plan, len(batch.plan)) if batch.pending else None
        self._size = len(batch.plan) if self._claims is None else self._claims.size
        self._ready: deque[int] = deque()
        self._dealt: dict[int, int] = {}  # how many runs of each unit that is held
        self._delayed: list[tuple[float, int]] = []  # a heap of (when, index)
        self._changed = threading.Condition()
        self._stopped = False
        self._quota = float("inf") if batch.quota is None else batch.quota
        self._open = dict(self._units())  # those that are neither claimed here nor done elsewhere
        self._owners: Mapping[int, Claim] = {}
        self._at_work: frozenset[str] = frozenset()
        self._endings: Mapping[str, Ending | None] = {}
        self._released: Mapping[int, Collection[str]] = {}
        self._looked: float | None = None
        self._over = threading.Event()
        self._told: set[str] = set()
        self._inheritance = Inheritance(batch, writer)
        if self._claims is not None:
            # Begun here: while the interpreter shuts down no thread can be, and the launch goes on.
            follow = partial(self._follow, self._claims)
            threading.Thread(target=follow, name="metalab-follow", daemon=True).start()

    def attempt(self, run_id: str) -> Try:
        """Return as which attempt, and how, a run that was dealt is executed."""
        return self._inheritance.attempt(run_id)

    @property
    def is_fresh(self) -> bool:
        """Whether each run that was dealt is executed as its first attempt."""
        return self._inheritance.is_fresh

    def next(self) -> int | None:
        """Return the plan index of a run to execute; waits while only others have any.

        None where nothing is left for this launch. Raises StoreError if the store can
        neither be read nor claimed from.
        """
        while not self._stopped:
            try:
                return self._ready.popleft()  # a lock of its own
            except IndexError:
                pass
            with self._changed:
                if not (self._ready or self._refill()):
                    break
        return None

    def take(self, most: int) -> list[int]:
        """Return up to so many indices of runs to execute, none where that takes waiting.

        Raises StoreError as next.
        """
        with self._changed:
            most = int(min(most, self._quota))
            if most and not self._stopped and (self._ready or self._make_ready()):
                taken = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
                self._quota -= len(taken)
                return taken
            self._looked = None
            if self._open and not self._stopped:
                self._tell_of_waiting()
        return []

    @property
    def is_exhausted(self) -> bool:
        """Whether there is nothing left to take, and nothing will be that others have now."""
        left = self._ready or self._delayed or self._open
        return self._stopped or not (left and self._quota)

    def patience(self, pause: float) -> float:
        """Return the seconds to wait before it makes sense to take again: a pause, or less."""
        with self._changed:
            return self._until_due(pause)

    def give_back(self, indices: Sequence[int]) -> None:
        """Take back runs that were dealt and not begun; they are dealt next."""
        with self._changed:
            self._ready.extendleft(reversed(indices))
            self._quota += len(indices)
            self._changed.notify_all()

    def again(self, index: int, attempt: Try, delay: float = 0.0) -> None:
        """Have a run executed once more, as that attempt, after so many seconds."""
        with self._changed:
            self._inheritance.again(self._batch.plan.ids[index], attempt)
            heapq.heappush(self._delayed, (monotonic() + delay, index))
            self._quota += 1
            self._changed.notify_all()

    def next_elsewhere(self) -> int | None:
        """Return the index of a run that succeeded in another launch, each once; else None."""
        try:
            return self._inheritance.succeeded.popleft()
        except IndexError:
            return None

    def stop(self) -> None:
        """Deal out nothing further, and follow nobody; returns at once."""
        self._stopped = True
        self._over.set()
        # Whoever holds the lock, for as long as a disk may take, looks at the flag before
        # it waits again, and does not wait for long.
        if self._changed.acquire(blocking=False):
            self._changed.notify_all()
            self._changed.release()

    def give_up(self) -> bool:
        """Leave the units to others of which no run is dealt out; False if there are none.

        They are claimed here again once there is nothing else, if they still can be. Raises
        StoreError.
        """
        with self._changed:
            if self._claims is None or self._stopped:
                return False
            ready = Counter(index // self._size for index in self._ready)
            whole = {unit for unit, count in ready.items() if count == self._dealt[unit]}
            if not (whole and self._claimant.renew()):
                return False
            self._claimant.give_up(whole)
            self._reopen(whole)
            return True

    def release(self) -> None:
        """Leave to others what was claimed and not begun; the writer is to be closed next."""
        begun = (index for _, index in self._delayed)
        self._claimant.end({index // self._size for index in (*self._ready, *begun)})

    # What follows is called with the lock held.

    def _units(self) -> Iterator[tuple[int, Sequence[int]]]:
        pending, first = self._batch.pending, 0
        while first < len(pending):
            number = pending[first] // self._size
            end = bisect_left(pending, (number + 1) * self._size, first)
            yield number, pending[first:end]
            first = end

    def _refill(self) -> bool:
        """Make runs ready, waiting for others if need be; False once there are none."""
        pause = _FIRST_PAUSE
        while (self._open or self._delayed) and not self._stopped:
            if self._make_ready():
                return True
            if self._open and not self._stopped:
                self._tell_of_waiting()
            if not self._stopped:
                self._changed.wait(self._until_due(pause))
                pause = min(2 * pause, _LONGEST_PAUSE)
                self._looked = None
        return False

    def _make_ready(self) -> bool:
        """Make runs ready without waiting for anybody; False if none can be now."""
        self._resume_delayed()
        if self._ready:
            return True
        if self._claims is None:
            for number, indices in self._open.items():
                self._deal(number, indices, None)
                return True
            return False
        if not self._open:
            return False
        if self._is_time_to_look():
            self._look(self._claims)
        return self._claim_one(self._claims)

    def _resume_delayed(self) -> None:
        while self._delayed and self._delayed[0][0] <= monotonic():
            self._ready.append(heapq.heappop(self._delayed)[1])

    def _until_due(self, pause: float) -> float:
        """Return the seconds to wait: a pause, or less if a run is to be tried again sooner."""
        if not self._delayed:
            return pause
        due = max(0.0, self._delayed[0][0] - monotonic())
        return min(due, pause) if self._open else due

    def _tell_of_waiting(self) -> None:
        others = {claim for unit, claim in self._owners.items() if unit in self._open}
        for launch in {claim.launch for claim in others} - self._told - {self._batch.launch}:
            self._told.add(launch)
            _LOG.warning(
                "%s: waiting for the runs that launch %s executes",
                self._batch.plan.experiment_id,
                launch,
            )

    def _is_time_to_look(self) -> bool:
        if self._looked is None:
            return True
        return bool(self._at_work) and monotonic() - self._looked > _LOOK_EVERY

    def _look(self, claims: Claims) -> None:
        """See who has claimed what, and what has become of it."""
        self._owners = claims.owners()
        owners = {
            claim.writer for unit in self._open if (claim := self._owners.get(unit)) is not None
        }
        self._endings = {writer: self._batch.store.ending(writer) for writer in owners}
        self._at_work = frozenset(w for w, ending in self._endings.items() if ending is None)
        self._looked = monotonic()
        if not owners:
            return
        # After the question whether they are over: what they wrote before that is read now.
        self._released = self._inheritance.refresh().released(self._plan)
        for unit in [unit for unit in self._open if unit in self._owners]:
            self._open[unit] = self._inheritance.unsettled(self._open[unit])
            if not self._open[unit]:
                del self._open[unit]

    def _claim_one(self, claims: Claims) -> bool:
        """Claim the first unit that is free and deal it; False if none is."""
        while (unit := self._first_free()) is not None:
            owner = self._owners.get(unit)
            if self._claimant.take(claims, unit, 1 if owner is None else owner.generation + 1):
                before = None if owner is None else self._ending_of(owner)
                self._deal(unit, self._open[unit], before)
                return True
            self._look(claims)  # another was first
        return False

    def _first_free(self) -> int | None:
        for unit in self._open:
            owner = self._owners.get(unit)
            if owner is None or self._ending_of(owner) is not None:
                return unit
        return None

    def _ending_of(self, owner: Claim) -> Ending | None:
        if owner.writer in self._released.get(owner.unit, ()):
            return _RELEASED
        return self._endings.get(owner.writer)

    def _follow(self, claims: Claims) -> None:
        """Tell of others' runs as they end, also while those of this launch take hours."""
        while not self._over.wait(_FOLLOW_EVERY):
            with self._changed:
                try:
                    if self._open:
                        self._look(claims)
                except StoreError as error:  # whoever claims next meets it, too, and raises it
                    _LOG.debug("others' runs cannot be followed: %s", error)

    def _deal(self, unit: int, indices: Sequence[int], before: Ending | None) -> None:
        """Make a unit's runs ready; ``before`` says how its owner before this one ended."""
        del self._open[unit]
        careful = before is not None and not before.closed
        if before is not None or self._batch.tries:
            self._inheritance.inherit(indices, careful=careful)
            indices = [index for index in indices if self._inheritance.allows(index)]
        self._dealt[unit] = len(indices)
        self._ready.extend(indices)
        self._changed.notify_all()

    def _reopen(self, units: Collection[int]) -> None:
        """Take back units that were dealt, and have it looked who has them next."""
        back: dict[int, list[int]] = {unit: [] for unit in units}
        ready, self._ready = self._ready, deque()
        for index in ready:
            back.get(index // self._size, self._ready).append(index)
        self._open = dict(sorted({**self._open, **back}.items()))
        self._looked = None
