"""What every serializer does, shown on each of ours, whatever library it is for."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from matplotlib.figure import Figure
from PIL import Image

from metalab.testing.sameness import is_same
from metalab.testing.serializer import SerializerContract


class TestJson(SerializerContract):
    format = "builtins/json"

    def objects(self):
        return [
            *(None, True, [12345, 1.5], -(2**70), math.nan, -0.0, "words", b"\x00\xff"),
            *([], {}, [1, [2.0, None]], (1, (2, "x")), {1: "one", "1": "text"}),
            *({"a", "b", "c", "d"}, frozenset({"x", "y", "z"}), Decimal("1.10"), Path("a/b")),
            *({"naïve": {"$tuple": [1]}}, ["\ud800"]),
        ]

    def refused(self):
        return [[object()], {"deep": [lambda: 1]}, math]


class TestJsonOfNumbers(SerializerContract):
    format = "builtins/json"
    detects_truncation = False  # the first digits of a number are a number

    def objects(self):
        return [12345, 1.5, -1, 0]


class TestText(SerializerContract):
    format = "builtins/text"
    detects_truncation = False  # the beginning of a text is a text

    def objects(self):
        return ["", "words", "line\r\nline\n", "naïve €\U0001f600", "\x00", "x" * 300_000]

    def refused(self):
        return ["half a pair: \ud800"]


class TestBytes(SerializerContract):
    format = "builtins/bytes"
    detects_truncation = False  # as of a text

    def objects(self):
        return [b"", b"\x00\xff", bytes(range(256))]

    def refused(self):
        return [bytearray(b"x"), memoryview(b"x")]


class TestPickle(SerializerContract):
    format = "pickle/pickle"
    is_safe = False

    def objects(self):
        return [None, {"a": [1, (2.5, b"\x00")]}, Decimal("1.10"), 3 - 4j, np.arange(3).tolist()]

    def refused(self):
        return [lambda: 1, math]


class Arrays(SerializerContract):
    """What arrays are the same: dtype, byte order, shape, memory order and bits."""

    def same(self, one, other):
        if type(one) is dict:
            pairs = zip(one.items(), other.items(), strict=False)
            return list(one) == list(other) and all(self.same(a[1], b[1]) for a, b in pairs)
        if isinstance(one, np.generic):
            return (type(one), one.dtype) == (type(other), other.dtype) and repr(one) == repr(other)
        if type(one) is not np.ndarray:
            return is_same(one, other)
        return (
            type(other) is np.ndarray
            and (one.dtype, one.dtype.byteorder) == (other.dtype, other.dtype.byteorder)
            and (one.shape, one.flags.fnc) == (other.shape, other.flags.fnc)
            and one.tobytes() == other.tobytes()
        )


class TestNpy(Arrays):
    format = "numpy/npy"

    def objects(self):
        return [
            *(np.array(1.5), np.zeros((0, 3)), np.arange(6).reshape(2, 3)),
            *(np.arange(6.0).reshape(2, 3).T, np.arange(10)[::3], np.array([np.nan, -0.0, np.inf])),
            *(np.array([1, 2], ">i4"), np.array([1, 2], "<i4"), np.array(["a", "naïve"])),
            *(np.array([1 + 2j], "c8"), np.array([True]), np.array(["2024-05-06"], "M8[D]")),
            np.array([(1, 2.5)], [("längd", "<i4"), ("y", ">f8")]),
        ]

    def refused(self):
        return [np.array([object()]), np.ma.array([1]), [1.5], np.float64(1)]

    def parameters(self):
        return [
            *(np.arange(3), np.arange(3.0), np.arange(3, dtype=">i8"), np.array([np.nan, -0.0])),
            *(np.array([0.0]), np.array([-0.0]), np.zeros((2, 3)), np.zeros((3, 2)), np.zeros(0)),
            *(np.float64(0.5), np.int8(3), np.bool_(True), np.datetime64("2024-05-06")),
            *(np.dtype("i4"), np.sin, np.array(["a"]), np.array([b"a"])),
        ]


class TestNpz(Arrays):
    format = "numpy/npz"

    def objects(self):
        return [{}, {"x": np.arange(3)}, {"b": np.zeros((2, 0)), "längd": np.array([1], ">i4")}]

    def refused(self):
        return [{1: np.arange(3)}, {"x": np.array([object()])}, {"a\\b": np.arange(2)}]

    def parameters(self):
        return [np.arange(3), np.arange(4)]


class TestPandasFrames(SerializerContract):
    format = "pandas/parquet"

    def objects(self):
        return [
            pd.DataFrame({"x": [1, 2], "y": [1.5, math.nan], "word": ["a", "naïve"]}),
            pd.DataFrame({"x": pd.array([1, None], "Int64")}, index=[7, 3]),
            pd.DataFrame(np.arange(4).reshape(2, 2)),
            pd.DataFrame({"x": []}),
        ]

    def refused(self):
        return [pd.DataFrame({"x": [object()]}), pd.DataFrame({"x": [1, "mixed"]}), pd.Series([1])]

    def same(self, one, other):
        return type(one) is type(other) and _is_quiet(pd.testing.assert_frame_equal, one, other)


class TestPandasSeries(SerializerContract):
    format = "pandas/series"

    def objects(self):
        return [pd.Series([1, 2]), pd.Series([1.5, math.nan], name="naïve", index=["a", "b"])]

    def refused(self):
        return [pd.Series([object()]), pd.Series([1], name=1.5), pd.DataFrame({"x": [1]})]

    def same(self, one, other):
        return type(one) is type(other) and _is_quiet(pd.testing.assert_series_equal, one, other)


class TestPolarsFrames(SerializerContract):
    format = "polars/parquet"

    def objects(self):
        return [
            pl.DataFrame({"x": [1, 2], "y": [1.5, math.nan], "word": ["a", "naïve"]}),
            pl.DataFrame({"x": [[1], None]}),
            pl.DataFrame(),
        ]

    def refused(self):
        return [pl.DataFrame({"x": [object()]}), pl.DataFrame({"x": [1]}).lazy(), pl.Series([1])]

    def same(self, one, other):
        is_one = type(one) is type(other) and one.schema == other.schema
        return is_one and one.equals(other, null_equal=True)


class TestPolarsSeries(SerializerContract):
    format = "polars/series"

    def objects(self):
        return [pl.Series("naïve", [1, None]), pl.Series([1.5, math.nan]), pl.Series(dtype=pl.Int8)]

    def refused(self):
        return [pl.Series([object()]), pl.DataFrame({"x": [1]})]

    def same(self, one, other):
        is_one = (type(one), one.name, one.dtype) == (type(other), other.name, other.dtype)
        return is_one and one.equals(other, null_equal=True)


class Images(SerializerContract):
    """What images are the same: mode, size and pixels."""

    modes: tuple[str, ...]

    def objects(self):
        return [Image.new(mode, (8, 3), color=1) for mode in self.modes]

    def refused(self):
        return [Image.new("HSV", (2, 2)), b"\x89PNG"]

    def same(self, one, other):
        if not isinstance(other, Image.Image):
            return False
        return (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())


class TestPng(Images):
    format = "PIL/png"
    modes = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


class TestTiff(Images):
    format = "PIL/tiff"
    modes = ("CMYK", "F", "I", "LAB")


class TestFigures(SerializerContract):
    format = "matplotlib/png"
    is_exact = False  # what comes back is the file it was drawn into

    def objects(self):
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([1, 2], [3, 4])
        return [figure]

    def refused(self):
        return [Figure().subplots()]


def _is_quiet(check, one, other):
    try:
        check(one, other, check_exact=True)
    except AssertionError:
        return False
    return True
