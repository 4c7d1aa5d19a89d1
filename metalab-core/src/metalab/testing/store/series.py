"""What belongs to a record besides itself: metric series, and values derived from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from metalab.records import Status
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import kept, made, put, run_id

if TYPE_CHECKING:
    from metalab.store.base import Store

__all__ = ["SeriesTests"]


class SeriesTests(StorePlace):
    """Metric series and derived values."""

    def test_points_come_back_in_the_order_written(self, store: Store) -> None:
        record = made()
        with store.writer("launch") as writer:
            writer.put_series(record, "loss", [(0, 1.0), (1, math.inf)])
            writer.put_series(record, "other", [(0.5, "text")])
            writer.put_series(record, "loss", [(2, 2**70)])
            writer.put(record)
        assert store.read().series(run_id()) == {
            "loss": [(0, 1.0), (1, math.inf), (2, 2**70)],
            "other": [(0.5, "text")],
        }

    def test_an_earlier_attempt_s_points_are_not_mixed_in(self, store: Store) -> None:
        with store.writer("launch") as writer:
            writer.put_series(made(attempt=1), "loss", [(0, 1.0)])
            writer.put(made(Status.FAILED, attempt=1))
            writer.put_series(made(attempt=2), "loss", [(0, 2.0)])
            writer.put(made(attempt=2))
        assert store.read().series(run_id()) == {"loss": [(0, 2.0)]}, (
            "the points are not those of the attempt whose record counts, and of it alone"
        )

    def test_two_writers_of_one_attempt_do_not_mix_their_points(self, store: Store) -> None:
        for value in (1.0, 2.0):
            with store.writer("launch") as writer:
                writer.put_series(made(), "loss", [(0, value), (1, value)])
                writer.put(made(metrics={"value": value}))
        winner = kept(store).metrics["value"]
        assert store.read().series(run_id()) == {"loss": [(0, winner), (1, winner)]}, (
            "the points are not those of the writer whose record counts, and of it alone"
        )

    def test_the_points_of_a_worker_that_died_are_kept(self, store: Store) -> None:
        with store.writer("launch") as writer:
            writer.put_series(made(), "loss", [(0, 1.0)])
        put(store, made(Status.FAILED))
        assert store.read().series(run_id()) == {"loss": [(0, 1.0)]}

    def test_a_run_without_series_has_none(self, store: Store) -> None:
        put(store, made())
        assert store.read().series(run_id()) == {}
        assert store.read().series(run_id(1)) == {}

    def test_values_are_kept_by_the_name_of_their_function(self, store: Store) -> None:
        put(store, made())
        store.put_derived(run_id(), "f", {"x": math.nan}, code="ab")
        store.put_derived(run_id(), "g", {"y": 1})
        derived = store.get_derived(run_id())
        assert sorted(derived) == ["f", "g"]
        assert math.isnan(derived["f"]["values"]["x"]), "a derived NaN comes back as another value"
        assert derived["f"]["code"] == "ab", "derived values come back with another code hash"

    def test_the_latest_values_of_a_function_count(self, store: Store) -> None:
        put(store, made())
        for value in (1, 2, 3):
            store.put_derived(run_id(), "f", {"x": value})
        assert store.get_derived(run_id())["f"]["values"] == {"x": 3}

    def test_values_of_a_record_that_was_displaced_are_told_apart(self, store: Store) -> None:
        put(store, made(attempt=1))
        store.put_derived(run_id(), "f", {"x": 1})
        of = store.get_derived(run_id())["f"]["of"]
        put(store, made(attempt=2))
        assert store.get_derived(run_id())["f"]["of"] == of, "`of` has followed the new record"
        store.put_derived(run_id(), "f", {"x": 2})
        assert store.get_derived(run_id())["f"]["of"] != of, "`of` is still the old record's"
        assert store.get_derived(run_id())["f"]["values"] == {"x": 2}

    def test_a_run_without_a_record_has_nothing_to_derive_from(self, store: Store) -> None:
        with pytest.raises(KeyError):
            store.put_derived(run_id(), "f", {"x": 1})
