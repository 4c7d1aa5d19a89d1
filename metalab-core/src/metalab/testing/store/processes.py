"""Several processes on one store, and what is left of those that are killed."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from metalab.records import Status
from metalab.store.claiming import Claim
from metalab.testing.asking import asked_if
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

    @asked_if(is_shared_between_processes=True)
    def test_another_process_reads_all_that_was_put(
        self, config: StoreConfig, store: Store
    ) -> None:
        fill(store)
        with Child(config.scoped(EXPERIMENT), "say") as child:
            theirs = pickle.loads(bytes.fromhex(child.hear("said")))  # noqa: S301  our own
        assert theirs == said(store), "another process reads other things"

    @asked_if(is_shared_between_processes=True, shares_plans=True)
    def test_a_unit_that_processes_race_for_is_claimed_once(
        self, config: StoreConfig, store: Store
    ) -> None:
        with (
            Child(config.scoped(EXPERIMENT), "claim") as one,
            Child(config.scoped(EXPERIMENT), "claim") as two,
        ):
            for child in (one, two):
                child.hear("ready")
            for child in (one, two):
                child.tell("go")
            taken = [rest.split() for child in (one, two) for _, rest in child.heard()]
        units = sorted(int(unit) for unit, _ in taken)
        assert units == list(range(UNITS)), "a unit was had by both processes, or by none"
        claims = claims_of(store, PLAN, UNITS)
        owners = {unit: claim.writer for unit, claim in claims.owners().items()}
        assert owners == {int(unit): writer for unit, writer in taken}, (
            "owners() names others than those who were told that they have the unit"
        )

    @asked_if(is_shared_between_processes=True, survives_kill=True)
    def test_what_was_acknowledged_survives_a_killed_writer(
        self, config: StoreConfig, store: Store
    ) -> None:
        told = _killed_while_putting(config)
        log = store.read()
        lost = [number for number in told["acknowledged"] if run_id(number) not in log]
        assert lost == [], (
            f"runs {lost} were acknowledged, and are lost since their writer was killed"
        )

    @asked_if(is_shared_between_processes=True, survives_kill=True)
    def test_what_was_put_survives_a_killed_writer_acknowledged_or_not(
        self, config: StoreConfig, store: Store
    ) -> None:
        told = _killed_while_putting(config)
        log = store.read()
        lost = [number for number in told["put"] if run_id(number) not in log]
        assert lost == [], f"runs {lost} were put, and are lost since their writer was killed"

    @asked_if(is_shared_between_processes=True, survives_kill=True)
    def test_nothing_of_a_killed_writer_is_half_there(
        self, config: StoreConfig, store: Store
    ) -> None:
        _killed_while_putting(config)
        log = store.read()
        for record in store.list_run_records():
            _assert_whole(store, log, record)

    @asked_if(is_shared_between_processes=True, survives_kill=True)
    def test_what_two_processes_put_at_once_is_all_there(
        self, config: StoreConfig, store: Store
    ) -> None:
        with (
            Child(config.scoped(EXPERIMENT), "put") as one,
            Child(config.scoped(EXPERIMENT), "put") as two,
        ):
            told = [_until_killed(child)["acknowledged"] for child in (one, two)]
        log = store.read()
        both = set(told[0]) & set(told[1])
        assert both, "the processes have no run in common"
        single = [n for n in both if len(log.attempts(run_id(n))) != 2]
        assert single == [], f"of runs {single} the records of both processes are not there"
        for record in store.list_run_records():
            _assert_whole(store, log, record)

    @asked_if(is_shared_between_processes=True, survives_kill=True)
    def test_a_store_goes_on_after_a_killed_writer(self, config: StoreConfig, store: Store) -> None:
        _killed_while_putting(config)
        put(store, made(number=0, attempt=2), made(number=10**6))
        assert kept(store).attempt == 2, "after a killed writer a later attempt does not count"
        assert run_id(10**6) in store.read(), "after a killed writer a new run is not found"

    @asked_if(is_shared_between_processes=True, tells_how_writers_ended=True)
    def test_a_killed_writer_is_over_and_one_at_work_is_not(
        self, config: StoreConfig, store: Store
    ) -> None:
        with Child(config.scoped(EXPERIMENT), "begin") as child:
            writer = child.hear("writer")
            assert store.ending(writer) is None, "ending() of a process at work is not None"
            child.kill()
            ending = store.ending(writer)
        assert ending is not None, "ending() of a killed process of this machine is None"
        assert not ending.closed, "a killed writer counts as closed"
        state = store.read().state(run_id())
        assert state is not None, "what a killed writer has started is lost"
        assert state.status is Status.RUNNING

    @asked_if(is_shared_between_processes=True, shares_plans=True, survives_kill=True)
    def test_the_unit_of_a_killed_writer_can_be_claimed_again(
        self, config: StoreConfig, store: Store
    ) -> None:
        with Child(config.scoped(EXPERIMENT), "claim") as child:
            child.hear("ready")
            child.tell("go")
            unit, _ = child.hear("took").split()
            child.kill()
        claims = claims_of(store, PLAN, UNITS)
        again, anew = (Claim(int(unit), generation, "heir", "launch") for generation in (1, 2))
        assert not claims.take(again), "the claim of a killed writer is had by another as well"
        assert claims.take(anew), "after a killed writer nobody gets the next generation"
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
    whose = f"run {number} of a killed writer is half there:"
    assert spelt(record.metrics) == spelt(expected.metrics), f"{whose} its metrics"
    assert spelt(record.data) == spelt(expected.data), f"{whose} its data"
    assert log.series(record.run_id) == {"loss": points_of(number)}, f"{whose} its series"
    assert store.get_log(record.run_id) == f"run {number} says so\n", f"{whose} its log"
    assert len(record.artifacts) == (number % 3 == 0), f"{whose} its artifacts"
    for artifact in record.artifacts:
        with store.open_artifact(artifact) as file:
            assert file.read() == content_of(number), f"{whose} an artifact's bytes"
