"""Columns asked for by name: the same values as in the whole table, nothing else decoded."""

from __future__ import annotations

import math

import pytest

import metalab
from core.store_tools import made, store_at
from metalab.errors import MetalabError
from metalab.records import Status
from metalab.results import Results
from metalab.results.picked import Picked

COUNT = 600
WANTED = ["score", "param_x", "status", "started_at"]


@pytest.fixture
def store(tmp_path):
    """A store whose runs were not written in the order of the plan, one of them without metrics."""
    store = store_at(tmp_path / "store")
    with store.writer("launch") as writer:
        for n in range(COUNT):
            writer.put(made(n, index=COUNT - n, tags=["a"], seed=2**70))
        writer.put(made(COUNT, Status.FAILED, metrics={}, index=COUNT + 1))
    return store


@pytest.fixture(params=["read", "ordered", "selected", "held"])
def results(store, request):
    found = Results.from_store(store)
    if request.param == "ordered":
        assert found[0].run_id
    if request.param == "selected":
        return found[3:400]
    return Results(store, found.records) if request.param == "held" else found


def whole(results, names):
    return [{name: row[name] for name in names} for row in results.table()]


def test_they_are_those_of_the_whole_table_in_the_order_asked_for(results):
    table = results.table(columns=WANTED)
    assert table == whole(results, WANTED)
    assert list(table[0]) == WANTED


def test_every_column_of_the_table_may_be_asked_for_alone(results):
    names = [name for name in results.table()[0] if not name.endswith("_fingerprint")]
    for name in names:
        assert results.table(columns=name) == whole(results, [name])


def test_the_frame_and_the_file_have_them(store, tmp_path):
    results = Results.from_store(store)
    frame = results.to_dataframe(columns=WANTED)
    assert list(frame.columns) == WANTED
    assert frame.equals(results.to_dataframe()[WANTED])
    path = results.to_csv(tmp_path / "x.csv", columns=["score", "run_id"])
    assert path.read_text().splitlines()[0] == "score,run_id"


def test_they_are_found_without_the_order_and_settle_it(store):
    results = Results.from_store(store)
    results.table(columns=["run_id"])
    assert [run.record.index for run in results[:3]] == [1, 2, 3]


def test_a_name_that_no_run_has_is_refused_with_those_there_are(results):
    for name in ("sc0re", "metric_score", "derived_x", "context_fingerprint"):
        with pytest.raises(MetalabError, match=r"no column named.*there are.*score"):
            results.table(columns=[name])


def test_a_column_that_every_run_has_empty_is_no_error(results):
    assert {row["replicate"] for row in results.table(columns=["replicate"])} == {None}


def test_nothing_to_choose_from_is_no_error(tmp_path):
    nothing = Results.from_store(store_at(tmp_path / "other"))
    assert nothing.table(columns=["any"]) == []
    assert list(nothing.to_dataframe(columns=["any"]).columns) == ["any"]


def test_awkward_names_and_values_come_back_as_they_were(tmp_path):
    store = store_at(tmp_path / "store")
    metrics = {'a "quoted" name': 1, "status": math.inf, "metric_x": (1, 2), "x y": {1: b"z"}}
    with store.writer("launch") as writer:
        writer.put(made(1, metrics=metrics, params_resolved={"é": 2**70, "plain": [1, {"a": 2}]}))
    columns = ['a "quoted" name', "metric_status", "metric_metric_x", "x y"]
    (row,) = Results.from_store(store).table(columns=[*columns, "param_é", "param_plain"])
    assert list(row.values()) == [*metrics.values(), 2**70, [1, {"a": 2}]]


def test_nothing_else_is_decoded(store):
    picked = Picked(["score", "status"])
    ((row, *_), *_) = picked.rows(store.read().blocks())
    assert set(row.__struct_fields__) == {"id", "index", "status", "metrics"}
    assert set(row.metrics.__struct_encode_fields__) == {"score"}


def test_load_results_takes_them_too(store):
    frame = metalab.load_results(store.root).to_dataframe(columns="score")
    assert len(frame) == COUNT + 1


def test_a_column_without_a_value_leaves_the_others_in_the_order_of_the_plan(tmp_path):
    store = store_at(tmp_path / "store")
    with store.writer("launch") as writer:
        for n in range(5):
            writer.put(made(n, index=5 - n, metrics={"score": float(n), "none": None}))
    table = Results.from_store(store).table(columns=["none", "score"])
    assert [row["score"] for row in table] == [4.0, 3.0, 2.0, 1.0, 0.0]


def test_names_that_json_holds_in_a_tag_are_found(tmp_path):
    """A name with a dollar sign has all of its run's metrics written in another form."""
    store = store_at(tmp_path / "store")
    with store.writer("launch") as writer:
        writer.put(made(0, index=0, metrics={"$loss": 0.5, "acc": 0.25}))
        writer.put(made(1, index=1, metrics={"acc": 0.75}))
    table = Results.from_store(store).table(columns=["$loss", "acc", "param_x"])
    assert table == [
        {"$loss": 0.5, "acc": 0.25, "param_x": 0},
        {"$loss": None, "acc": 0.75, "param_x": 1},
    ]
