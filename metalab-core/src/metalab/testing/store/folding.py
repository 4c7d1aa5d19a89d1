"""Which record of a run counts: the latest by epoch, outcome and attempt, not by arrival."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from metalab.records import Provenance, Status
from metalab.store.document import record_of
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import NOW, kept, made, order, put, run_id

if TYPE_CHECKING:
    from metalab.store.base import Store

__all__ = ["FoldTests"]


class FoldTests(StorePlace):
    """Which record of a run counts."""

    def test_a_success_is_not_displaced_by_a_later_failure(self, store: Store) -> None:
        put(store, made(Status.SUCCESS, attempt=1))
        put(store, made(Status.FAILED, attempt=2))
        assert kept(store).status is Status.SUCCESS

    def test_a_late_success_displaces_a_failure_of_a_later_attempt(self, store: Store) -> None:
        put(store, made(Status.FAILED, attempt=2))
        put(store, made(Status.SUCCESS, attempt=1))
        assert kept(store).status is Status.SUCCESS

    def test_a_later_attempt_displaces_an_equal_one(self, store: Store) -> None:
        put(store, made(attempt=2, metrics={"x": 2}), made(attempt=1, metrics={"x": 1}))
        assert kept(store).metrics == {"x": 2}

    def test_a_higher_epoch_displaces_everything(self, store: Store) -> None:
        put(store, made(Status.SUCCESS, attempt=5), made(Status.RUNNING, epoch=1))
        assert kept(store).status is Status.RUNNING

    def test_every_attempt_stays_readable_oldest_first(self, store: Store) -> None:
        put(store, made(Status.FAILED, attempt=2), made(Status.FAILED, attempt=1))
        put(store, made(Status.SUCCESS, attempt=3), made(Status.RUNNING, attempt=3))
        lines = store.read().attempts(run_id())
        assert [record_of(line).attempt for line in lines] == [1, 2, 3]
        assert store.read().attempts(run_id(1)) == []

    def test_the_state_says_what_resuming_needs(self, store: Store) -> None:
        record = made(Status.FAILED, epoch=2, attempt=3, provenance=Provenance("ab12"))
        put(store, record)
        state = store.read().state(run_id())
        assert state is not None, "a run that was put has no state"
        assert (state.status, state.epoch, state.attempt) == (Status.FAILED, 2, 3)
        assert state.code == "ab12", "the state has another code hash than the record"

    def test_no_clock_decides_which_record_counts(self, store: Store) -> None:
        early, late = NOW - timedelta(days=9000), NOW + timedelta(days=9000)
        put(store, made(attempt=2, started_at=early, finished_at=early))
        put(store, made(attempt=1, started_at=late, finished_at=late))
        assert kept(store).attempt == 2, "a clock has decided which record counts"

    @pytest.mark.parametrize("seed", range(5))
    def test_lines_count_alike_in_whatever_order_they_arrive(self, store: Store, seed: int) -> None:
        records = [
            made(status, epoch=epoch, attempt=attempt, metrics={"x": [epoch, attempt]})
            for status in Status
            for epoch in (0, 1)
            for attempt in (1, 2, 3)
        ]
        random.Random(seed).shuffle(records)  # noqa: S311  the same at every run of the test
        with store.writer("a") as one, store.writer("b") as two:
            for number, record in enumerate(records):
                (one, two)[number % 2].put(record)
        assert kept(store).metrics == max(records, key=order).metrics, (
            "which record counts depends on the order in which lines arrive"
        )
        assert len(store.read().attempts(run_id())) == 18, (
            "of 24 lines 18 are attempts: what began and has ended is one"
        )
