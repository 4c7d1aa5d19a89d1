"""What it means that a run is forgotten: it counts as never run, and begins anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from metalab.records import Status
from metalab.store.document import record_of
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import kept, made, put, run_id

if TYPE_CHECKING:
    from metalab.store.base import Store

__all__ = ["ForgettingTests"]


class ForgettingTests(StorePlace):
    """What it means that a run is forgotten."""

    def test_a_forgotten_run_counts_as_never_run(self, store: Store) -> None:
        put(store, made(), made(number=1))
        store.put_derived(run_id(), "f", {"x": 1})
        store.delete_run(run_id())
        log = store.read()
        assert log.state(run_id()) is None, "a forgotten run has a state"
        assert run_id() not in log, "a forgotten run is in the log"
        assert list(log) == [run_id(1)]
        assert len(log) == 1, "a forgotten run is counted"
        assert log.derived(run_id()) == {}, "a forgotten run has derived values"
        assert [record_of(line).run_id for line in log.lines()] == [run_id(1)]
        assert list(log.blocks()) == list(log.lines()), "blocks() holds what lines() does not"
        states = [state is None for state in log.states([run_id(), run_id(1)])]
        assert states == [True, False], "states() is not None for the forgotten run alone"
        with pytest.raises(KeyError):
            next(log.lines([run_id()]))

    def test_it_begins_anew_in_the_next_epoch(self, store: Store) -> None:
        put(store, made(epoch=3))
        assert store.read().forgotten(run_id()) == 0
        store.delete_run(run_id())
        forgotten = store.read().forgotten(run_id())
        assert forgotten == 4, f"forgotten in epoch 3, it begins anew in epoch {forgotten}"

    def test_a_late_record_of_before_does_not_bring_it_back(self, store: Store) -> None:
        put(store, made(Status.FAILED))
        store.delete_run(run_id())
        put(store, made(attempt=9))
        assert store.get_run_record(run_id()) is None, "a late record brings back a forgotten run"

    def test_a_record_put_anew_counts(self, store: Store) -> None:
        put(store, made())
        store.delete_run(run_id())
        store.put_run_record(made(metrics={"x": 2}))
        assert kept(store).metrics == {"x": 2}

    def test_two_that_forget_a_run_at_once_forget_it_once(self, store: Store) -> None:
        put(store, made())
        for _ in range(2):
            with store.writer("launch") as writer:
                writer.forget(run_id(), 1)
        log = store.read()
        assert (len(log), list(log), log.forgotten(run_id())) == (0, [], 1)

    def test_a_run_that_came_back_was_forgotten_all_the_same(self, store: Store) -> None:
        put(store, made(epoch=2))
        with store.writer("launch") as writer:
            writer.forget(run_id(), 2)
        log, state = store.read(), store.read().state(run_id())
        assert state is not None, "a record of the new epoch does not count"
        assert (len(log), state.epoch, log.forgotten(run_id())) == (1, 2, 2)

    def test_several_runs_are_forgotten_at_once(self, store: Store) -> None:
        for n in range(3):
            store.put_run_record(made(number=n))
        store.delete_runs([run_id(0), run_id(2), run_id(9), run_id(0)])
        assert list(store.read()) == [run_id(1)]
        assert store.read().forgotten(run_id(2)) == 1

    def test_forgetting_what_is_unknown_is_nothing(self, store: Store) -> None:
        store.delete_run(run_id())
        assert store.read().forgotten(run_id()) == 0

    def test_its_attempts_stay_readable(self, store: Store) -> None:
        put(store, made())
        store.delete_run(run_id())
        assert len(store.read().attempts(run_id())) == 1, "what was forgotten cannot be read"
