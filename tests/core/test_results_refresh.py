"""Results that are refreshed: what was added is there, and only that was read."""

from __future__ import annotations

import pytest

from core.store_tools import made, run_id, segments, store_at
from metalab.records import Status
from metalab.results import Results
from metalab.store.file import disk

COUNT = 300


@pytest.fixture
def store(tmp_path):
    """A store with some runs, every second index of the plan."""
    store = store_at(tmp_path / "store")
    put(store, *(made(n, index=2 * n) for n in range(COUNT)))
    return store


def put(store, *records):
    with store.writer("launch") as writer:
        for record in records:
            writer.put(record)


def indices(results):
    return [run.record.index for run in results]


def read_bytes(monkeypatch):
    """Count the bytes that are read from now on."""
    counted = []
    blocks, pieces = disk.blocks, disk.pieces

    def counting(real):
        def read(*args):
            for data in real(*args):
                counted.append(len(data))
                yield data

        return read

    monkeypatch.setattr(disk, "blocks", counting(blocks))
    monkeypatch.setattr(disk, "pieces", counting(pieces))
    return counted


def test_where_nothing_is_new_the_same_results_come_back(store):
    results = Results.from_store(store)
    assert results.refresh() is results
    selection = results[:5]
    assert selection.refresh() is selection


def test_added_runs_take_their_places_and_the_old_results_stay(store):
    results = Results.from_store(store)
    assert len(indices(results)) == COUNT
    put(store, made(1000, index=7), made(1001, index=1))
    later = results.refresh()
    assert indices(later) == sorted([*range(0, 2 * COUNT, 2), 7, 1])
    assert len(results) == len(list(results)) == COUNT
    assert later.refresh() is later


def test_a_run_that_was_executed_again_shows_its_present_record(store):
    results = Results.from_store(store)
    put(store, made(3, index=6, attempt=2, metrics={"score": 9.0}))
    assert results[3].metrics["score"] == 3.5
    assert results.refresh()[3].metrics["score"] == 9.0


def test_a_forgotten_run_is_left_out_and_one_that_moved_moves(store):
    results = Results.from_store(store)
    assert results[0].run_id == run_id(0)
    store.delete_run(run_id(0))
    put(store, made(1, index=900, attempt=2))
    later = results.refresh()
    assert indices(later) == [*range(4, 2 * COUNT, 2), 900]


def test_a_selection_keeps_its_runs(store):
    failed = Results.from_store(store).filter(status="success")[:4]
    put(store, made(1, Status.SUCCESS, index=2, attempt=2), made(50_000, index=1))
    store.delete_run(run_id(2))
    assert [run.record.attempt for run in failed.refresh()] == [1, 2, 1]


def test_an_order_that_is_unknown_yet_is_found_later(store):
    results = Results.from_store(store)
    put(store, made(1000, index=7))
    later = results.refresh()
    assert len(later) == COUNT + 1
    assert later[4].run_id == run_id(1000)


def test_results_of_records_that_somebody_made_stay_as_they_are(store):
    results = Results(store, [made(1)])
    assert results.refresh().records == [made(1)]


def test_only_what_was_added_is_read(store, monkeypatch):
    results = Results.from_store(store)
    assert results[0].metrics
    put(store, made(1000, index=7))
    (added,) = [path for path in segments(store) if path.stat().st_size < 5_000]
    counted = read_bytes(monkeypatch)
    later = results.refresh()
    assert len(later.runs) == COUNT + 1
    counted.clear()
    put(store, made(1001, index=9))
    latest = later.refresh()
    assert latest[6].run_id == run_id(1001)
    # The new segment, and twice a line: for its place in the plan, and to show it.
    assert sum(counted) < 3 * added.stat().st_size


def test_derived_values_computed_since_are_seen(store):
    results = Results.from_store(store)[:1]
    store.put_derived(run_id(0), "twice", {"twice": 1.0})
    assert results[0].derived == {}
    assert results.refresh()[0].derived == {"twice": 1.0}
