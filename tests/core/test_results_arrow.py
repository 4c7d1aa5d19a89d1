"""Arrow tables, Parquet files and polars frames: typed columns whose values are exact."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings, strategies as st

import metalab
from core.store_tools import store_at
from core.test_column_cache import sweeps, uncached, write
from core.test_frames import held, stored
from metalab.identity.values import from_jsonable
from metalab.results.arrow import AS_JSON, arrow_of, write_parquet
from metalab.results.columns import RECORD_COLUMNS
from metalab.results.export import write_csv
from metalab.store.file import runlog
from strategies import same

WITHOUT = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Nothing())
"""

texts = st.text(st.characters(codec="utf-8"))
floats = st.floats(allow_nan=True, allow_infinity=True)
integers = st.integers(-(10**50), 10**50)


def as_json(table, name):
    """The values of a column that is marked as JSON."""
    assert table.schema.field(name).metadata == AS_JSON
    return [each and from_jsonable(json.loads(each)) for each in table[name].to_pylist()]


class TestTypes:
    @pytest.mark.parametrize(
        ("column", "type_"),
        [
            ([1, None, -(2**63)], pa.int64()),
            ([0, 2**64 - 1], pa.uint64()),
            ([-1, 2**64], pa.decimal128(38, 0)),
            ([1.5, None, math.inf], pa.float64()),
            ([1, 0.5], pa.float64()),
            ([True, None], pa.bool_()),
            (["a", None, "é"], pa.string()),
            ([None], pa.null()),
            ([np.float64(0.5), np.int64(1)], pa.float64()),
        ],
    )
    def test_values_of_one_type_are_a_column_of_that_type(self, column, type_):
        table = arrow_of({"x": column})
        assert table.schema.field("x").type == type_
        assert table.schema.field("x").metadata is None
        assert table["x"].to_pylist() == column

    @pytest.mark.parametrize(
        "column",
        [
            [1, "a", None],
            [True, 1],
            [10**50, 1],
            [2**53 + 1, 0.5],
            [[1, 2.5], (1, "a")],
            [{"a": math.inf}],
            [b"\0", Decimal("0.1")],
            [datetime(2026, 1, 2, tzinfo=UTC)],
        ],
    )
    def test_values_that_no_one_type_holds_are_marked_json_from_which_they_come_back(self, column):
        found = as_json(arrow_of({"x": column}), "x")
        assert list(map(repr, found)) == list(map(repr, column))

    def test_columns_of_the_record(self, tmp_path):
        now = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        row = {"started_at": now, "finished_at": now, "tags": ["a", "b"], "duration_ms": 2.0}
        table = held(tmp_path, row, {}).to_arrow()
        assert table.column_names == list(RECORD_COLUMNS)
        assert table["started_at"].to_pylist()[0] == now
        assert table.schema.field("started_at").type == pa.timestamp("us", tz="UTC")
        assert table["tags"].to_pylist() == [["a", "b"], []]
        assert table.schema.field("tags").type == pa.list_(pa.string())
        assert table["seed"].to_pylist() == [1, 1]

    def test_the_record_has_the_same_types_where_no_run_has_a_value(self, tmp_path):
        some, none = held(tmp_path, {"duration_ms": 1.0}), held(tmp_path)
        assert none.to_arrow().num_rows == 0
        assert none.to_arrow().schema.field("error").type == pa.string()
        for name in ("duration_ms", "replicate", "run_id", "finished_at", "tags"):
            assert none.to_arrow().schema.field(name) == some.to_arrow().schema.field(name)

    def test_it_takes_the_options_of_a_frame(self, tmp_path):
        results = stored(tmp_path, {"params_resolved": {"x": 1}, "metrics": {"y": 0.5}})
        table = results.to_arrow(columns=["param_x", "y"])
        assert table.to_pydict() == {"param_x": [1], "y": [0.5]}
        frame = results.to_polars(include_record=False)
        assert frame.equals(pl.DataFrame({"param_x": [1], "y": [0.5]}))


class TestFiles:
    @settings(deadline=None)
    @given(
        rows=st.lists(
            st.fixed_dictionaries({}, optional={"f": floats, "t": texts, "i": integers}), min_size=1
        )
    )
    def test_nan_infinities_what_is_missing_and_unicode_come_back_from_parquet(
        self, rows, tmp_path_factory
    ):
        columns = {name: [row.get(name) for row in rows] for name in ("f", "t", "i")}
        path = write_parquet(columns, tmp_path_factory.mktemp("files") / "a.parquet")
        table = pq.read_table(path)
        for name, column in columns.items():
            is_json = table.schema.field(name).metadata == AS_JSON
            found = as_json(table, name) if is_json else table[name].to_pylist()
            assert len(found) == len(column)
            assert all(map(_equal, found, column))

    @settings(deadline=None)
    @example(rows=[(None, "\r")])
    @given(rows=st.lists(st.tuples(st.none() | floats, texts.filter(bool)), min_size=1))
    def test_nan_infinities_what_is_missing_and_unicode_come_back_from_csv(
        self, rows, tmp_path_factory
    ):
        columns = dict(zip("ft", map(list, zip(*rows, strict=True)), strict=True))
        path = write_csv(columns, tmp_path_factory.mktemp("files") / "a.csv")
        with path.open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
        assert [row["t"] for row in found] == columns["t"]
        numbers = [float(row["f"]) if row["f"] else None for row in found]
        assert all(map(_equal, numbers, columns["f"]))

    def test_the_columns_of_runs_that_were_stored(self, tmp_path):
        metrics = [{"x": math.nan}, {"x": math.inf}, {"x": -0.0}, {}]
        results = stored(tmp_path, *({"metrics": each} for each in metrics))
        table = pq.read_table(results.to_parquet(tmp_path / "é.parquet", columns="x"))
        assert repr(table["x"].to_pylist()) == "[nan, inf, -0.0, None]"
        assert repr(results.to_polars()["x"].to_list()) == "[nan, inf, -0.0, None]"

    @settings(deadline=None, max_examples=50)
    @given(parts=sweeps())
    def test_every_value_comes_back_whether_columns_are_cached_or_decoded(
        self, parts, tmp_path_factory
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runlog, "CACHED", 1)
            store = store_at(tmp_path_factory.mktemp("store"))
            write(store, *parts)
            expected = uncached(store, patch, lambda results: results.table())
            decoded = uncached(store, patch, lambda results: results.to_arrow())
            for _ in range(2):
                table = metalab.load_results(store).to_arrow()
                assert table.schema.equals(decoded.schema, check_metadata=True)
                assert table.to_pandas().map(repr).equals(decoded.to_pandas().map(repr))
            for name in table.column_names:
                is_json = table.schema.field(name).metadata == AS_JSON
                found = as_json(table, name) if is_json else table[name].to_pylist()
                for one, row in zip(found, expected, strict=True):
                    assert _equal(one, row[name]) or same(one, row[name]) or one == row[name], name

    def test_a_file_that_was_there_is_replaced_and_nothing_is_left_beside_it(self, tmp_path):
        path = tmp_path / "out" / "a.parquet"
        path.parent.mkdir()
        path.write_text("old")
        held(tmp_path, {}).to_parquet(str(path))
        assert pq.read_table(path).num_rows == 1
        assert list(path.parent.iterdir()) == [path]

    def test_what_cannot_be_written_leaves_nothing(self, tmp_path):
        path = tmp_path / "out" / "a.parquet"
        path.mkdir(parents=True)
        with pytest.raises(OSError, match=r"a\.parquet"):
            held(tmp_path, {}).to_parquet(path)
        assert list(path.parent.iterdir()) == [path]


def _equal(one, other):
    return repr(int(one) if isinstance(one, Decimal) else one) == repr(other)


class TestWithout:
    @pytest.mark.parametrize(
        ("hidden", "call", "told"),
        [
            ("pyarrow", "to_arrow()", "to_arrow() needs pyarrow: pip install 'metalab[arrow]'"),
            ("pyarrow", "to_parquet('x')", "to_parquet() needs pyarrow"),
            ("polars", "to_polars()", "to_polars() needs polars: pip install 'metalab[polars]'"),
            ("pyarrow", "to_polars()", "to_polars() needs pyarrow"),
        ],
    )
    def test_what_to_install_is_said(self, tmp_path, hidden, call, told):
        stored(tmp_path, {"metrics": {"y": 0.5}})
        script = WITHOUT.format(hidden=[hidden]) + textwrap.dedent(f"""
            import metalab
            from metalab.errors import MissingExtraError
            results = metalab.load_results({str(tmp_path)!r})
            try:
                results.{call}
            except MissingExtraError as error:
                print(error)
            print(results.table()[0]["y"])
        """)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith(told)
        assert done.stdout.endswith("0.5\n")

    def test_pandas_is_not_needed(self, tmp_path):
        stored(tmp_path, {"metrics": {"y": 0.5}})
        script = WITHOUT.format(hidden=["pandas"]) + textwrap.dedent(f"""
            import metalab
            results = metalab.load_results({str(tmp_path)!r})
            results.to_parquet({str(tmp_path / "a.parquet")!r})
            print(results.to_arrow(columns="y").to_pydict())
        """)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout == "{'y': [0.5]}\n"
        assert pq.read_table(tmp_path / "a.parquet")["y"].to_pylist() == [0.5]
