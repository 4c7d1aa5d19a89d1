"""Any history of a store, told beside a dictionary."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, cast

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from metalab.records import RunRecord, Status
from metalab.store.claiming import Claim
from metalab.store.document import record_of
from metalab.testing.faults import deliver_again
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import claims_of, made, order, run_id

if TYPE_CHECKING:
    from metalab.store.base import RunLog, Store, StoreWriter
    from metalab.store.config import StoreConfig

__all__ = ["HistoryTests", "StoreMachine"]

_PLAN = "f" * 32
_RUNS = st.integers(0, 3)
_SMALL = st.integers(0, 2)
_UNITS = 2  # few, so that claims meet


class StoreMachine(RuleBasedStateMachine):
    """Does anything to an experiment's store in any order, and compares it with a dictionary.

    ``config`` is the configuration of the empty experiment, ``has_claims`` whether its plans
    are shared. Run it by ``hypothesis.stateful.run_state_machine_as_test``.
    """

    def __init__(self, config: StoreConfig, *, has_claims: bool = True) -> None:
        super().__init__()
        self.config = config
        self.has_claims = has_claims
        self.store: Store = config.connect()
        self.writers: list[StoreWriter] = []
        self.number = count(1)
        self.puts: dict[int, list[tuple[tuple[Any, ...], RunRecord]]] = {}
        self.forgotten: dict[int, int] = {}
        self.owners: dict[int, Claim] = {}
        self.released: set[tuple[int, str]] = set()
        self.logs: list[RunLog] = []
        self.known = 0

    logs_read = Bundle("logs_read")

    @initialize()
    def open_writers(self) -> None:
        """Begin with two writers at work."""
        self.writers = [self.store.writer(launch) for launch in ("a", "b")]

    @rule(
        by=st.integers(0, 1),
        run=_RUNS,
        status=st.sampled_from(Status),
        epoch=st.sampled_from([0, 0, 0, 1]),
        attempt=st.integers(1, 3),
    )
    def put(self, by: int, run: int, status: Status, epoch: int, attempt: int) -> None:
        """Put a record, be it new, older than another, or the same attempt once more."""
        number = next(self.number)
        record = made(status, run, epoch=epoch, attempt=attempt, metrics={"number": number})
        self.writers[by].put(record)
        place = (*order(record), self.writers[by].name, number)
        self.puts.setdefault(run, []).append((place, record))

    @rule(by=st.integers(0, 1), run=_RUNS, epoch=st.integers(1, 2))
    def forget(self, by: int, run: int, epoch: int) -> None:
        """Forget what was put of a run before an epoch."""
        self.writers[by].forget(run_id(run), epoch)
        self.forgotten[run] = max(self.forgotten.get(run, 0), epoch)

    @rule()
    def deliver_again(self) -> None:
        """Have all lines arrive once more, in another order."""
        deliver_again(self.store)

    @rule(by=st.integers(0, 1), unit=st.integers(0, _UNITS - 1), generation=st.integers(1, 2))
    def claim(self, by: int, unit: int, generation: int) -> None:
        """Claim a unit: it is had if nobody has that generation of it."""
        if not self.has_claims:
            return
        claim = Claim(unit, generation, self.writers[by].name, "launch")
        newest = self.owners.get(unit)
        if newest is not None and newest.generation > generation:
            return  # nobody asks for a generation that is over
        had = claims_of(self.store, _PLAN, _UNITS).take(claim)
        assert had == (newest is None or newest.generation < generation or newest == claim), (
            f"take({claim}) says {had}, though the newest claim on that unit is {newest}"
        )
        if had:
            self.owners[unit] = claim

    @rule(by=st.integers(0, 1), unit=st.integers(0, _UNITS - 1))
    def release(self, by: int, unit: int) -> None:
        """Give up the claim on a unit."""
        if self.has_claims:
            self.writers[by].release(_PLAN, [unit])
            self.released.add((unit, self.writers[by].name))

    @rule(target=logs_read)
    def read(self) -> RunLog:
        """Read what is stored, to be read on from later."""
        return self.store.read()

    @rule(log=logs_read)
    def read_on(self, log: RunLog) -> None:
        """Read on from any earlier reading."""
        self._compare(self.store.read(log))

    @rule()
    def open_again(self) -> None:
        """End the writers, close the store, and go on with others."""
        self.teardown()
        self.store = self.config.open() if self.puts else self.config.connect()
        self.open_writers()

    @invariant()
    def compare(self) -> None:
        """What another handle says is what the dictionary says."""
        with self.config.connect() as other:
            self._compare(other.read())
            if self.has_claims:
                owners = dict(claims_of(other, _PLAN, _UNITS).owners())
                assert owners == self.owners, "owners() names others than have the units"

    def teardown(self) -> None:
        """End the writers and close the store."""
        for writer in self.writers:
            writer.close()
        self.store.close()

    def _compare(self, log: RunLog) -> None:
        expected = {run_id(run): record for run in self.puts if (record := self._current(run))}
        found = {each: record_of(line) for each in log for line in log.lines([each])}
        assert found == expected, "other records count than should"
        assert len(log) == len(expected), "len() counts other runs than there are"
        for run in range(4):
            current = expected.get(run_id(run))
            state = log.state(run_id(run))
            assert (state and (state.status, state.epoch, state.attempt)) == (
                current and (current.status, current.epoch, current.attempt)
            ), f"state() of run {run} is another than that of the record that counts"
            forgotten = log.forgotten(run_id(run))
            assert forgotten == self.forgotten.get(run, 0), f"of run {run} forgotten() says so"
            attempts = [record_of(line) for line in log.attempts(run_id(run))]
            assert attempts == self._attempts(run), f"attempts() of run {run} are others"
        if self.has_claims:
            released = {(u, w) for u, writers in log.released(_PLAN).items() for w in writers}
            assert released == self.released, "released() names other units or writers"

    def _current(self, run: int) -> RunRecord | None:
        place, record = max(self.puts[run], key=lambda each: each[0])
        return None if place[0] < self.forgotten.get(run, 0) else record

    def _attempts(self, run: int) -> list[RunRecord]:
        puts = self.puts.get(run, [])
        ended = {
            (each.epoch, each.attempt) for _, each in puts if each.status is not Status.RUNNING
        }
        shown = [
            ((place[0], place[2], place[1], *place[3:]), each)
            for place, each in puts
            if each.status is not Status.RUNNING or (each.epoch, each.attempt) not in ended
        ]
        return [record for _, record in sorted(shown, key=lambda each: each[0])]


class HistoryTests(StorePlace):
    """Any history of a store, told beside a dictionary."""

    history_settings: ClassVar[settings] = settings(
        max_examples=20,
        stateful_step_count=25,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    """How many histories are tried, and of how many steps; ask for more before a release."""

    def test_any_history_reads_as_a_dictionary_would(self, config: StoreConfig) -> None:
        numbers = count(1)

        def machine() -> StoreMachine:
            scoped = config.scoped(f"history:{next(numbers)}")
            return StoreMachine(scoped, has_claims=self.shares_plans)

        # It may be anything that makes a machine, whatever its annotation says.
        run_state_machine_as_test(cast("Any", machine), settings=self.history_settings)
