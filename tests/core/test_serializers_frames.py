"""Frames of pandas and polars: kept as Parquet files, equal when they come back, else refused."""

from __future__ import annotations

import io
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st

from core.test_serializers import through, written
from metalab.errors import CaptureError
from metalab.serializers import serializer_for, serializer_named

CATEGORIES = ["z", "b", "a"]


def with_attrs(**attrs):
    frame = pd.DataFrame({"x": [1]})
    frame.attrs = attrs
    return frame


KEPT = {
    "numbers": pd.DataFrame(
        {"b": [1.5, np.nan], "a": np.array([1, 2], "int8"), "c": [True, False]}
    ),
    "labels": pd.DataFrame([[1, 2.5]]),
    "range of labels": pd.DataFrame([[1, 2]], columns=pd.RangeIndex(4, 8, 2, name="n")),
    "integer labels": pd.DataFrame([[1, 2]], columns=[7, 3]),
    "several levels": pd.DataFrame(
        {("a", 1): [1], ("b", 2): [2]},
        index=pd.MultiIndex.from_tuples([(1, "x")], names=["i", None]),
    ),
    "index": pd.DataFrame({"x": [1, 2]}, index=pd.Index(["é", "b"], name="k")),
    "range": pd.DataFrame({"x": [1, 2]}, index=pd.RangeIndex(5, 9, 2, name="k")),
    "twice in the index": pd.DataFrame({"x": [1, 2]}, index=[3, 3]),
    "empty": pd.DataFrame(),
    "no columns": pd.DataFrame(index=[3, 4]),
    "no rows": pd.DataFrame({"x": pd.Series([], dtype="float32")}),
    "categories": pd.DataFrame({"x": pd.Categorical(["a", None], CATEGORIES)}),
    "ordered": pd.DataFrame({"x": pd.Categorical(["a", "b"], CATEGORIES, ordered=True)}),
    "numbers as categories": pd.DataFrame({"x": pd.Categorical([1, 2], [3, 2, 1], ordered=True)}),
    "zone": pd.DataFrame({"x": pd.date_range("2020-03-28", periods=3, tz="Europe/Berlin")}),
    "frequency": pd.DataFrame({"x": [1, 2]}, pd.date_range("2020", periods=2, tz="UTC")),
    "nanoseconds": pd.DataFrame({"x": pd.to_datetime(["2020-01-01T00:00:00.123456789", None])}),
    "seconds": pd.DataFrame({"x": np.array(["2020-01-01", "NaT"], "datetime64[s]")}),
    "durations": pd.DataFrame({"x": pd.to_timedelta([1, None], unit="ns")}),
    "texts": pd.DataFrame({"x": ["a", None, ""]}),
    "objects that are texts": pd.DataFrame({"x": pd.Series(["a", None], dtype=object)}),
    "objects and NaN": pd.DataFrame({"x": pd.Series(["a", np.nan], dtype=object)}),
    "dates": pd.DataFrame({"x": [date(2020, 1, 2), None]}),
    "decimals": pd.DataFrame({"x": [Decimal("0.10"), Decimal("2.50")]}),
    "bytes": pd.DataFrame({"x": [b"\0", None]}),
    "nullable": pd.DataFrame({"x": pd.array([1, None], dtype="Int64")}),
    "intervals": pd.DataFrame({"x": pd.interval_range(0, 2)}),
    "periods": pd.DataFrame({"x": pd.period_range("2020", periods=2, freq="M")}),
    "infinities": pd.DataFrame({"x": [np.inf, -np.inf, -0.0]}),
    "attrs": with_attrs(unit="m", places=[1, {"a": (None, 2**70)}]),
    "objects beside others": pd.DataFrame({"a": pd.Series([1, 2], dtype=object), "b": [1, 2]}),
}
REFUSED = {
    "several columns 'x'": pd.DataFrame([[1, 2]], columns=["x", "x"]),
    "has no Parquet form": pd.DataFrame({"x": [1, "a"]}),
    "Unsupported numpy type": pd.DataFrame({"x": [1j]}),
    "column 'x' come back as others": pd.DataFrame(
        {"x": pd.Series([None, np.nan, "a"], dtype=object)}
    ),
    "come back altered": pd.DataFrame({"x": [[1], [2]]}),
    "Sparse": pd.DataFrame({"x": pd.arrays.SparseArray([0, 0, 1])}),
    "attrs": with_attrs(place=object()),
}


class TestPandas:
    @pytest.mark.parametrize("frame", KEPT.values(), ids=KEPT)
    def test_a_frame_comes_back_equal(self, frame):
        back = through(frame)
        pd.testing.assert_frame_equal(
            back, frame, check_exact=True, check_index_type=True, check_column_type=True
        )
        assert back.attrs == frame.attrs
        assert [repr(v) for v in back.to_numpy().ravel()] == [
            repr(v) for v in frame.to_numpy().ravel()
        ]

    @pytest.mark.parametrize(("told", "frame"), REFUSED.items(), ids=REFUSED)
    def test_what_would_be_altered_is_refused_with_the_reason(self, told, frame):
        with pytest.raises((ValueError, TypeError), match=told):
            written(frame)

    @settings(deadline=None)
    @given(values=st.lists(st.sampled_from([None, math.nan, True, 1, 1.0, "a", b"", (1,), [2]])))
    def test_objects_of_any_kind_come_back_or_are_refused(self, values):
        column = pd.Series(values, dtype=object)
        try:
            back = through(pd.DataFrame({"x": column}))
        except ValueError as error:
            assert "Parquet form" in str(error) or "altered" in str(error)  # noqa: PT017  both are right
        else:
            assert list(map(repr, back["x"])) == list(map(repr, values))

    def test_a_frame_is_left_as_it_was(self):
        frame = KEPT["objects that are texts"].copy()
        frame.attrs = {"a": 1}
        written(frame)
        pd.testing.assert_frame_equal(frame, KEPT["objects that are texts"])
        assert frame.attrs == {"a": 1}

    def test_any_reader_of_parquet_reads_it(self):
        table = pq.read_table(io.BytesIO(written(KEPT["numbers"])))
        assert table["a"].to_pylist() == [1, 2]

    def test_the_same_frame_gives_the_same_bytes(self):
        assert written(KEPT["categories"]) == written(KEPT["categories"].copy())

    @pytest.mark.parametrize("name", ["y", None, 3, "values"])
    def test_a_series_comes_back_equal(self, name):
        index = pd.date_range("2020", periods=2, freq="h", name="t")
        series = pd.Series(pd.Categorical(["a", "b"]), index=index, name=name)
        series.attrs = {"unit": "m"}
        back = through(series)
        pd.testing.assert_series_equal(back, series, check_exact=True, check_index_type=True)
        assert (back.name, back.attrs) == (name, {"unit": "m"})
        assert serializer_for(series).kind == "series"

    def test_a_series_whose_name_is_no_text_is_refused(self):
        with pytest.raises(ValueError, match="name is"):
            written(pd.Series([1], name=(1, 2)))

    def test_subclasses_are_declined_and_not_made_plain(self):
        class Geo(pd.DataFrame):
            pass

        with pytest.raises(CaptureError, match="Geo"):
            serializer_for(Geo({"x": [1]}))

    def test_other_objects_are_refused(self):
        for format_ in ("pandas/parquet", "pandas/series", "polars/parquet", "polars/series"):
            with pytest.raises(TypeError, match="is wanted, not list"):
                serializer_named(format_).dump([1], io.BytesIO())
        with pytest.raises(CaptureError, match="nothing keeps"):
            serializer_for(pd.CategoricalDtype())

    def test_a_parquet_file_of_others_is_not_taken_for_ours(self):
        file = io.BytesIO()
        KEPT["numbers"].to_parquet(file)
        with pytest.raises(ValueError, match="not written by metalab"):
            serializer_named("pandas/parquet").load(file)


FRAMES = {
    "plain": pl.DataFrame({"b": [1.5, None, float("nan")], "a": ["x", "é", None]}),
    "types": pl.DataFrame(
        {
            "i": [1, None],
            "d": [Decimal("0.10"), None],
            "t": [datetime(2020, 1, 2, tzinfo=UTC), None],
            "day": [date(2020, 1, 2), None],
            "for": [timedelta(microseconds=3), None],
            "l": [[1, 2], []],
            "s": [{"x": 1}, {"x": None}],
            "n": [None, None],
            "c": ["a", "b"],
            "e": ["b", "a"],
            "bin": [b"\0", b""],
        },
        schema_overrides={
            "d": pl.Decimal(10, 2),
            "i": pl.UInt8,
            "c": pl.Categorical,
            "e": pl.Enum(["a", "b"]),
        },
    ),
    "no rows": pl.DataFrame(schema={"x": pl.Float32}),
}


class TestPolars:
    @pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
    def test_a_frame_comes_back_equal(self, frame):
        back = through(frame)
        polars.testing.assert_frame_equal(back, frame, check_exact=True)
        assert back.schema == frame.schema
        assert serializer_for(frame).kind == "frame"

    def test_a_series_comes_back_equal(self):
        series = pl.Series("é", [1, None], dtype=pl.Int8)
        polars.testing.assert_series_equal(through(series), series, check_exact=True)

    def test_a_lazy_frame_is_refused_with_what_to_do(self):
        with pytest.raises(TypeError, match=r"keep its \.collect\(\)"):
            written(FRAMES["plain"].lazy())

    def test_objects_are_refused(self):
        frame = pl.DataFrame({"x": pl.Series([object()], dtype=pl.Object)})
        with pytest.raises(ValueError, match=r"the frame has no Parquet form"):
            written(frame)

    def test_subclasses_are_declined(self):
        class Mine(pl.DataFrame):
            pass

        with pytest.raises(CaptureError, match="Mine"):
            serializer_for(Mine({"x": [1]}))
