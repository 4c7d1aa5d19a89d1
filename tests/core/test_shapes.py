"""Frames are the same whether runs are decoded by their shape or one dict at a time."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given, strategies as st

from core.store_tools import made, store_at
from metalab.results import Results
from metalab.results.columns import Columns
from metalab.results.rows import Row, decoded, decoded_by_shape
from metalab.results.shapes import Shape, names_and_values

_NAMES = st.sampled_from(
    ["a", "b", "not an identifier", "f0", "é", "params", "id", 'a"b', "a\\b", ""]
)
_SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | st.text(max_size=3)
_VALUES = st.dictionaries(_NAMES, _SCALARS | st.just({"$float": "nan"}), max_size=4)


def block_of(documents):
    return b"\n".join(
        msgspec.json.encode(
            {"t": "run", "id": f"{n:032x}", "epoch": 0, "attempt": 1, "status": "success"}
            | {"code": "c", "index": n, "params": params, "metrics": metrics}
        )
        for n, (params, metrics) in enumerate(documents)
    )


@given(st.lists(st.lists(st.tuples(_VALUES, _VALUES), min_size=1, max_size=4), max_size=5))
def test_columns_do_not_depend_on_how_rows_were_decoded(chunks):
    blocks = [block_of(chunk) for chunk in chunks]
    by_shape = Columns(record=False).of(decoded_by_shape(blocks, Row)).columns
    one_by_one = Columns(record=False).of(decoded(blocks, Row)).columns
    assert sorted(by_shape) == sorted(one_by_one)
    for name, column in one_by_one.items():
        assert list(map(repr, by_shape[name])) == list(map(repr, column))


def rows_of(shape, *documents):
    """Decode as is done for columns: by dicts, and then by the shape that they have."""
    block = block_of(documents)
    shape.expect(next(decoded([block], Row))[-1])
    return shape.rows(block)


def test_a_name_that_no_slot_can_have_leaves_rows_to_dicts():
    assert rows_of(Shape(Row), ({"x": 1}, {'a "quoted" name': 2})) is None


def test_more_names_than_are_worth_searching_leave_rows_to_dicts():
    assert rows_of(Shape(Row), ({f"p{n}": n for n in range(101)}, {})) is None


def test_a_shape_that_keeps_changing_is_no_longer_learned():
    shape = Shape(Row)
    learned = [rows_of(shape, ({f"p{n}": n}, {"y": 2})) is not None for n in range(30)]
    assert learned == [True] * 20 + [False] * 10


def test_names_in_another_order_have_the_columns_of_the_first_run_of_the_plan(tmp_path):
    store = store_at(tmp_path)
    with store.writer("w") as writer:
        for n in [*range(1, 600), 0]:
            metrics = {"a": n, "b": -n} if n else {"b": 0, "a": 0}
            writer.put(made(n, metrics=metrics))
    results = Results.from_store(store)
    first = [name for name in results.table()[0] if len(name) == 1]
    assert first == ["b", "a"]
    assert [row["b"] for row in results.table()] == [-n for n in range(600)]


def test_values_that_json_has_not_are_revived_among_those_of_a_shape(tmp_path):
    store = store_at(tmp_path)
    with store.writer("w") as writer:
        for n in range(1000):
            writer.put(made(n, metrics={"m": (n,) if n == 700 else n / 2}))
    column = [row["m"] for row in Results.from_store(store).table()]
    assert column == [(n,) if n == 700 else n / 2 for n in range(1000)]


def test_what_has_other_names_or_lacks_one_is_not_of_the_shape():
    shape = Shape(Row)
    assert shape.rows(block_of([({"x": 1}, {"y": 2})])) is None
    shape.expect(next(decoded([block_of([({"x": 1}, {"y": 2})])], Row))[0])
    (row,) = shape.rows(block_of([({"x": 3}, {"y": 4})]))
    names, values = names_and_values([row.params])
    assert (names, list(values)) == (["x"], [(3,)])
    assert shape.rows(block_of([({"x": 1, "z": 0}, {"y": 2})])) is None
    assert shape.rows(block_of([({}, {"y": 2})])) is None


def test_runs_of_many_shapes_in_any_order_make_the_columns_of_the_plan(tmp_path):
    store = store_at(tmp_path)
    order = [3, 0, 4, 1, 2]
    with store.writer("w") as writer:
        for n in order:
            params = {"x": n} if n % 2 else {"z": n, "x": -n}
            writer.put(made(n, params_resolved=params, metrics={"m": n / 2}))
    table = Results.from_store(store).table()
    assert [row.get("param_x") for row in table] == [0, 1, -2, 3, -4]
    assert [row["m"] for row in table] == [0.0, 0.5, 1.0, 1.5, 2.0]
    names = [name for name in table[0] if name.startswith("param_")]
    assert names == ["param_z", "param_x"]
    assert json.dumps(table[1]["param_z"]) == "null"
