"""Several processes on one store, and what is left of those that are killed."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from metalab.records import Status
from metalab.store.claiming import Claim
from metalab.testing.store.children import Child
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import EXPERIMENT, claims_of, kept, made, put, run_id, spelt
from metalab.testing.store.telling import fill, said
from metalab.testing.store.worker import (
    PLAN,
    UNITS,
    content_of,
    points_of,
    record_of_number,
)

if TYPE_CHECKING:
    from metalab.records import RunRecord
    from metalab.store.base import RunLog, Store
    from metalab.store.config import StoreConfig

__all__ = ["ProcessTests"]

_ENOUGH = 30  # runs acknowledged before a worker is killed


class ProcessTests(StorePlace):
    """Several processes on one store, and what is left of those that are killed."""

    def test_another_process_reads_all_that_was_put(
        self, config: StoreConfig, store: Store
    ) -> None:
        self.require("is_shared_between_processes")
        fill(store)
        with Child(config.scoped(EXPERIMENT), "say") as child:
            theirs = pickle.loads(bytes.fromhex(child.hear("said")))  # noqa: S301  our own
        assert theirs == said(store)

    def test_a_unit_that_processes_race_for_is_claimed_once(
        self, config: StoreConfig, store: Store
    ) -> None:
        self.require("is_shared_between_processes", "shares_plans")
        with (
            Child(config.scoped(EXPERIMENT), "claim") as one,
            Child(config.scoped(EXPERIMENT), "claim") as two,
        ):
            for child in (one, two):
                child.hear("ready")
            for child in (one, two):
                child.tell("go")
            taken = [rest.split() for child in (one, two) for _, rest in child.heard()]
        assert sorted(int(unit) for unit, _ in taken) == list(range(UNITS))
        claims = claims_of(store, PLAN, UNITS)
        owners = {unit: claim.writer for unit, claim in claims.owners().items()}
        assert owners == {int(unit): writer for unit, writer in taken}

    def test_what_was_acknowledged_survives_a_killed_writer(
        self, config: StoreConfig, store: Store
    ) -> None:
        self.require("is_shared_between_processes", "survives_kill")
        told = _killed_while_putting(config)
        log = store.read()
        lost = [number for number in told["acknowledged"] if run_id(number) not in log]
        assert lost == []

    def test_what_was_put_survives_a_killed_writer_acknowledged_or_not(
        self, config: StoreConfig, store: Store
    ) -> None:
        self.require("is_shared_between_processes", "survives_kill")
        told = _killed_while_putting(config)
        log = store.read()
        lost = [number for number in told["put"] if run_id(number) not in log]
        assert lost == []

    def test_nothing_of_a_killed_writer_is_half_there(
        self, config: StoreConfig, store: Store
    ) -> None:
        self.require("is_shared_between_processes", "survives_kill")
        _killed_while_putting(config)
        log = store.read()
        for record in store.list_run_records():
            _assert_whole(store, log, record)

    def test_what_two_processes_put_at_once_is_all_there(
        self, config: StoreConfig, store: Store
    ) -> None:
        self.require("is_shared_between_processes", "survives_kill")
        with (
            Child(config.scoped(EXPERIMENT), "put") as one,
            Child(config.scoped(EXPERIMENT), "put") as two,
        ):
            told = [_until_killed(child)["acknowledged"] for child in (one, two)]
        log = store.read()
        both = set(told[0]) & set(told[1])
        assert both
        assert [n for n in both if len(log.attempts(run_id(n))) != 2] == []
        for record in store.list_run_records():
            _assert_whole(store, log, record)

    def test_a_store_goes_on_after_a_killed_writer(self, config: StoreConfig, store: Store) -> None:
        self.require("is_shared_between_processes", "survives_kill")
        _killed_while_putting(config)
        put(store, made(number=0, attempt=2), made(number=10**6))
        assert kept(store).attempt == 2
        assert run_id(10**6) in store.read()

    def test_a_killed_writer_is_over_and_one_at_work_is_not(
        self, config: StoreConfig, store: Store
    ) -> None:
        self.require("is_shared_between_processes", "tells_how_writers_ended")
        with Child(config.scoped(EXPERIMENT), "begin") as child:
            writer = child.hear("writer")
            assert store.ending(writer) is None
            child.kill()
            ending = store.ending(writer)
        assert ending is not None
        assert not ending.closed
        state = store.read().state(run_id())
        assert state is not None
        assert state.status is Status.RUNNING

    def test_the_unit_of_a_killed_writer_can_be_claimed_again(
        self, config: StoreConfig, store: Store
    ) -> None:
        self.require("is_shared_between_processes", "shares_plans", "survives_kill")
        with Child(config.scoped(EXPERIMENT), "claim") as child:
            child.hear("ready")
            child.tell("go")
            unit, _ = child.hear("took").split()
            child.kill()
        claims = claims_of(store, PLAN, UNITS)
        assert not claims.take(Claim(int(unit), 1, "heir", "launch"))
        assert claims.take(Claim(int(unit), 2, "heir", "launch"))
        assert claims.owners()[int(unit)].writer == "heir"


def _killed_while_putting(config: StoreConfig) -> dict[str, list[int]]:
    """Return the numbers of the runs that a worker put, and had acknowledged, until its end."""
    with Child(config.scoped(EXPERIMENT), "put") as child:
        return _until_killed(child)


def _until_killed(child: Child) -> dict[str, list[int]]:
    told: dict[str, list[int]] = {"put": [], "acknowledged": []}
    child.hear("writer")
    for word, rest in child.heard():
        told[word].append(int(rest))
        if len(told["acknowledged"]) == _ENOUGH and word == "acknowledged":
            child.kill()
    assert len(told["acknowledged"]) >= _ENOUGH, "the worker ended before it was killed"
    return told


def _assert_whole(store: Store, log: RunLog, record: RunRecord) -> None:
    number = record.index
    expected = record_of_number(number)
    assert spelt(record.metrics) == spelt(expected.metrics)
    assert spelt(record.data) == spelt(expected.data)
    assert log.series(record.run_id) == {"loss": points_of(number)}
    assert store.get_log(record.run_id) == f"run {number} says so\n"
    assert len(record.artifacts) == (number % 3 == 0)
    for artifact in record.artifacts:
        with store.open_artifact(artifact) as file:
            assert file.read() == content_of(number)
