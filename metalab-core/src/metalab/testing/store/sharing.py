"""What launches that share a plan need: claims, endings, losses, releases."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from metalab.records import Status
from metalab.store.claiming import Claim
from metalab.store.reading import Loss
from metalab.testing.asking import asked_if
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import claims_of, kept, made, run_id

if TYPE_CHECKING:
    from metalab.store.base import Store
    from metalab.testing.store.place import OpenStore

__all__ = ["SharingTests"]

_PLAN = "f" * 32
_RACERS = 8


class SharingTests(StorePlace):
    """What launches that share a plan need: claims, endings, losses, releases."""

    @asked_if(shares_plans=True)
    def test_of_two_that_claim_a_unit_one_gets_it(
        self, store: Store, open_store: OpenStore
    ) -> None:
        mine, other = claims_of(store, _PLAN, 100), claims_of(open_store(), _PLAN, 100)
        assert mine.size == other.size >= 1, "two launches have cut a plan differently"
        assert mine.take(Claim(0, 1, "a", "x")), "who comes first does not get the unit"
        assert not other.take(Claim(0, 1, "b", "y")), "a unit was had by two"
        assert mine.owners() == other.owners() == {0: Claim(0, 1, "a", "x")}
        assert other.take(Claim(0, 2, "b", "y")), "nobody gets the next generation of a unit"
        assert mine.owners() == other.owners() == {0: Claim(0, 2, "b", "y")}

    @asked_if(shares_plans=True)
    def test_of_many_threads_that_claim_units_each_is_had_by_one(
        self, store: Store, open_store: OpenStore
    ) -> None:
        claims = [claims_of(open_store(), _PLAN, 20) for _ in range(_RACERS)]
        barrier = threading.Barrier(_RACERS)
        taken: list[tuple[int, str]] = []

        def race(number: int) -> None:
            barrier.wait()
            me = f"w{number}"
            had = [unit for unit in range(20) if claims[number].take(Claim(unit, 1, me, "x"))]
            taken.extend((unit, me) for unit in had)

        threads = [threading.Thread(target=race, args=(n,)) for n in range(_RACERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        units = sorted(unit for unit, _ in taken)
        assert units == list(range(20)), "units were had by several threads, or by none"
        owners = claims_of(store, _PLAN, 20).owners()
        assert {unit: claim.writer for unit, claim in owners.items()} == dict(taken), (
            "owners() names others than those who were told that they have the unit"
        )

    @asked_if(shares_plans=True)
    def test_the_first_to_come_cuts_the_plan_for_all(
        self, store: Store, open_store: OpenStore
    ) -> None:
        first = claims_of(store, _PLAN, 100, 10)
        assert first.size == 10, "100 runs in 10 units are 10 each"
        again = claims_of(open_store(), _PLAN, 100, 50).size
        assert again == 10, "who comes second cuts the plan anew"

    @asked_if(shares_plans=True)
    def test_claims_on_two_plans_do_not_meet(self, store: Store) -> None:
        one, other = claims_of(store, _PLAN, 10), claims_of(store, "e" * 32, 10)
        assert one.take(Claim(3, 1, "a", "x")), "who comes first does not get the unit"
        assert other.owners() == {}, "claims on one plan are shown on another"
        assert other.take(Claim(3, 1, "b", "x")), "claims on two plans meet"

    @asked_if(shares_plans=True)
    def test_claims_of_two_experiments_do_not_meet(self, collection: Store) -> None:
        one = claims_of(collection.scoped("a:1"), _PLAN, 10)
        other = claims_of(collection.scoped("b:1"), _PLAN, 10)
        assert one.take(Claim(3, 1, "a", "x")), "who comes first does not get the unit"
        assert other.take(Claim(3, 1, "b", "x")), "claims of two experiments meet"
        assert one.owners()[3].writer == "a", "a claim of another experiment counts here"

    @asked_if(tells_how_writers_ended=True)
    def test_a_writer_is_over_once_it_has_closed(self, store: Store, open_store: OpenStore) -> None:
        writer, other = store.writer("launch"), open_store()
        writer.join(_PLAN)
        assert other.ending(writer.name) is None, "ending() of a writer at work is not None"
        writer.close()
        ending = other.ending(writer.name)
        assert ending is not None, "ending() of a writer that was closed is None"
        assert ending.closed, "a writer that was closed counts as dead"

    @asked_if(shares_plans=True)
    def test_what_is_lost_and_what_is_released_can_be_read(self, store: Store) -> None:
        losses = [Loss(0, 2, "dead", "killed"), Loss(0, 1, "dead", "silent")]
        with store.writer("launch") as writer:
            for loss in losses:
                writer.put_loss(run_id(), loss)
                writer.put_loss(run_id(), loss)
            writer.release(_PLAN, [3, 5])
        log = store.read()
        assert list(log.losses(run_id())) == [losses[1], losses[0]]
        assert list(log.losses(run_id(1))) == []
        assert {u: set(writers) for u, writers in log.released(_PLAN).items()} == {
            3: {writer.name},
            5: {writer.name},
        }
        assert log.released("another") == {}
        assert len(log) == 0, "what was lost or released counts as a record"

    def test_a_run_that_must_not_begin_unseen_is_on_record_when_start_returns(
        self, store: Store, open_store: OpenStore
    ) -> None:
        with store.writer("launch") as writer:
            writer.start(run_id(), lambda: made(Status.RUNNING), careful=True)
            assert kept(open_store()).status is Status.RUNNING
            writer.put(made())
        assert kept(store).status is Status.SUCCESS
