"""What a record is when it comes back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import pytest

from metalab.records import ArtifactDescriptor, Provenance, Status
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import (
    AWKWARD,
    EXPERIMENT,
    FLOATS,
    kept,
    made,
    put,
    run_id,
    spelt,
)

if TYPE_CHECKING:
    from metalab.store.base import Store
    from metalab.testing.store.place import OpenStore

__all__ = ["RecordTests"]


class RecordTests(StorePlace):
    """What a record is when it comes back."""

    def test_a_record_comes_back_equal(self, store: Store) -> None:
        record = made(
            metrics={"score": 0.5, "n": 3, "ok": True, "word": "é", "none": None},
            params_resolved={"x": (1, 2), "y": {1: b"\x00"}, "z": 2**70},
            data={"grid": [[1.0, math.inf], []]},
            seed=2**80,
            replicate=0,
            index=7,
            tags=["a", "b"],
            warnings=["careful"],
            notes="a note",
            error={"type": "E", "message": "m", "traceback": "t"},
            manifest="0123456789abcdef",
            provenance=Provenance("0123456789abcdef", "3.11", "0.1", "thread:1", "host", {"k": 1}),
            artifacts=[ArtifactDescriptor("id", "n", "k", "f", "u", "h", 3, {"m": (1,)})],
        )
        put(store, record)
        assert store.get_run_record(run_id()) == record

    def test_awkward_floats_come_back_exactly(self, store: Store) -> None:
        put(store, made(metrics={str(i): value for i, value in enumerate(FLOATS)}))
        metrics = kept(store).metrics
        back = [repr(metrics[str(i)]) for i in range(len(FLOATS))]
        assert back == [repr(f) for f in FLOATS], "floats come back as others"

    @pytest.mark.parametrize("name", list(AWKWARD))
    def test_awkward_values_come_back_with_their_types(self, store: Store, name: str) -> None:
        value = {name: AWKWARD[name]}
        put(store, made(params_resolved=value, data=value))
        assert spelt(kept(store).params_resolved) == spelt(value)
        assert spelt(kept(store).data) == spelt(value)

    def test_any_text_comes_back(self, store: Store) -> None:
        text = "\u00e9 \u0065\u0301 \u65e5\u672c \U0001f600 \t\r\n \u2028 \x00 \\ \" ' $ %"
        record = made(metrics={text: text}, notes=text, tags=[text], warnings=["", text])
        put(store, record)
        assert kept(store) == record

    def test_what_a_reader_changes_is_its_own(self, store: Store) -> None:
        put(store, made(metrics={"x": 1}, tags=["a"]), made(number=1))
        kept(store).metrics["x"] = 2
        kept(store, 1).metrics["y"] = 3
        kept(store).tags.append("b")
        assert (kept(store).metrics, kept(store).tags, kept(store, 1).metrics) == (
            {"x": 1},
            ["a"],
            {},
        ), "what a reader does to a record is read by others: give each a record of its own"

    def test_what_is_changed_after_it_was_put_is_not_kept(self, store: Store) -> None:
        record = made(metrics={"x": 1}, tags=["a"])
        with store.writer("launch") as writer:
            writer.put(record)
            record.metrics["x"] = 2
            record.tags.append("b")
        assert kept(store) == made(metrics={"x": 1}, tags=["a"]), (
            "what is done to a record after it was put is kept as well"
        )

    def test_a_number_and_its_text_are_told_apart(self, store: Store) -> None:
        values = {"a": "NaN", "b": math.nan, "c": 1, "d": 1.0, "e": "1", "f": True}
        put(store, made(metrics=values))
        assert spelt(kept(store).metrics) == spelt(values)

    def test_a_second_handle_sees_what_was_put(self, store: Store, open_store: OpenStore) -> None:
        other = open_store()
        assert other.get_run_record(run_id()) is None
        put(store, made())
        assert other.get_run_record(run_id()) == made()
        assert open_store().get_run_record(run_id()) == made()

    def test_a_run_that_was_never_put_is_absent(self, store: Store) -> None:
        assert store.get_run_record(run_id()) is None
        assert not store.run_exists(run_id()), "a run that was never put exists"
        assert store.list_artifacts(run_id()) == []
        assert store.get_derived(run_id()) == {}

    def test_all_records_are_listed_in_the_order_of_the_plan(self, store: Store) -> None:
        put(store, *(made(number=n, index=9 - n) for n in range(10)))
        indices = [record.index for record in store.list_run_records()]
        assert indices == list(range(10)), "records are not listed by their index"

    def test_a_record_that_runs_is_listed_as_running(self, store: Store) -> None:
        put(store, made(Status.RUNNING))
        assert [record.status for record in store.list_run_records()] == [Status.RUNNING]
        assert store.run_exists(run_id()), "a run that was put does not exist"

    def test_a_collection_lists_the_records_of_the_experiment_named(
        self, collection: Store, store: Store
    ) -> None:
        put(store, made())
        assert collection.list_run_records(EXPERIMENT) == [made()]

    def test_an_id_that_is_none_is_refused(self, store: Store) -> None:
        with (
            store.writer("launch") as writer,
            pytest.raises(ValueError, match=r"32 lower-case hex digits, not '\.\./escaped'"),
        ):
            writer.put(attrs.evolve(made(), run_id="../escaped"))

    def test_what_cannot_be_kept_is_refused_by_its_place(self, store: Store) -> None:
        with (
            store.writer("launch") as writer,
            pytest.raises(TypeError, match=r"metrics\['bad'\]"),
        ):
            writer.put(made(metrics={"bad": object()}))
        assert store.get_run_record(run_id()) is None, "a record that was refused was kept"

    def test_the_launch_of_a_copied_record_is_kept(self, store: Store) -> None:
        store.put_run_record(made())
        assert store.get_run_record(run_id()) == made()

    def test_a_record_without_a_launch_is_still_the_same_record(self, store: Store) -> None:
        store.put_run_record(attrs.evolve(made(), launch=None))
        store.put_run_record(attrs.evolve(made(), launch=None))
        assert len(store.read().attempts(run_id())) == 1, "a record put twice is two attempts"
        assert kept(store).launch == "manual"

    def test_the_same_record_twice_is_one_attempt(self, store: Store) -> None:
        store.put_run_record(made(metrics={"x": math.nan}))
        store.put_run_record(made(metrics={"x": math.nan}))
        assert len(store.read().attempts(run_id())) == 1, "a record put twice is two attempts"

    def test_a_changed_record_is_a_further_attempt(self, store: Store) -> None:
        store.put_run_record(made(metrics={"x": 1}))
        store.put_run_record(made(metrics={"x": 2}))
        record = kept(store)
        assert (record.metrics, record.attempt) == ({"x": 2}, 2)

    def test_a_failure_does_not_displace_a_success(self, store: Store) -> None:
        store.put_run_record(made())
        store.put_run_record(made(Status.FAILED))
        assert kept(store).status is Status.SUCCESS
