"""Numpy's files: what goes in comes out, and nothing in them is ever run."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from metalab.plugins import SERIALIZERS
from metalab.serializers.base import Serializer
from metalab_numpy.serializers import NpySerializer, NpzSerializer

NPY, NPZ = NpySerializer(), NpzSerializer()


def there_and_back(serializer, obj):
    file = io.BytesIO()
    serializer.dump(obj, file)
    file.seek(0)
    return serializer.load(file)


def same(one, other):
    return (
        type(one) is type(other)
        and one.dtype == other.dtype
        and one.shape == other.shape
        and content(one) == content(other)
    )


def content(array):
    """Return the bytes of the values; those between the fields of a structure are nobody's."""
    if array.dtype.names is None:
        return array.tobytes()
    return b"".join(content(array[name]) for name in array.dtype.names)


class TestNpy:
    @given(
        hnp.arrays(
            hnp.scalar_dtypes() | hnp.array_dtypes(hnp.scalar_dtypes()),
            hnp.array_shapes(min_dims=0, min_side=0, max_side=3),
        )
    )
    def test_every_array_comes_back_the_same(self, array):
        assert NPY.can_handle(array)
        assert same(there_and_back(NPY, array), array)

    @pytest.mark.parametrize(
        "array",
        [
            np.array(3.5),
            np.array("text"),
            np.zeros((0, 3)),
            np.arange(3, dtype=">i2"),
            np.zeros(2, [("a", "<i4"), ("b", "<M8[ns]"), ("c", "<f8", (2, 2))]),
            np.array(["NaT", "2020-01-01"], "M8[D]"),
            np.array([1, 2], "m8[h]"),
            np.arange(10)[::3],
            np.array([np.nan, np.inf, -0.0]),
            np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        ],
    )
    def test_dtype_shape_and_bytes_are_kept(self, array):
        assert same(there_and_back(NPY, array), array)

    def test_the_order_in_memory_is_kept(self):
        array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
        assert there_and_back(NPY, array).flags.f_contiguous
        assert there_and_back(NPY, array.copy("C")).flags.c_contiguous

    @pytest.mark.parametrize("name", ["field", "é", "Ā"])
    @pytest.mark.parametrize("n", [1, 5000])
    def test_a_dtype_of_many_fields_and_of_any_names_comes_back(self, name, n):
        array = np.zeros(1, [(f"{name}_{i}", "f8") for i in range(n)])
        assert same(there_and_back(NPY, array), array)

    def test_it_is_a_file_that_numpy_reads(self, tmp_path):
        with (tmp_path / "a.npy").open("wb") as file:
            NPY.dump(np.arange(3), file)
        assert np.load(tmp_path / "a.npy").tolist() == [0, 1, 2]

    @pytest.mark.parametrize(
        ("obj", "error", "text"),
        [
            (np.array([object()]), ValueError, r"holds references .* convert it with \.astype"),
            ([1, 2], TypeError, "must be an ndarray, not a list; use np.asarray"),
            (np.float64(1), TypeError, "must be an ndarray, not a float64"),
            (
                np.array([None]),
                ValueError,
                r'or use kind="pickle" with Experiment\(allow_pickle=True\)',
            ),
        ],
    )
    def test_what_would_not_come_back_is_refused_with_a_reason(self, obj, error, text):
        assert not NPY.can_handle(obj)
        file = io.BytesIO()
        with pytest.raises(error, match=text):
            NPY.dump(obj, file)
        assert file.getvalue() == b""

    def test_a_pickle_inside_a_file_is_never_loaded(self):
        file = io.BytesIO()
        np.save(file, np.array([Trap()]), allow_pickle=True)
        file.seek(0)
        with pytest.raises(ValueError, match="allow_pickle=False"):
            NPY.load(file)
        with pytest.raises(ValueError, match="magic"):
            NPY.load(io.BytesIO(pickle.dumps(Trap())))

    def test_a_torn_file_is_an_error(self):
        file = io.BytesIO()
        NPY.dump(np.arange(100), file)
        with pytest.raises(ValueError, match=r"EOF|read"):
            NPY.load(io.BytesIO(file.getvalue()[:-8]))


class Trap:
    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


class TestNpz:
    @given(
        st.dictionaries(st.text(st.characters(codec="utf-8")), st.just(np.arange(3)), max_size=3)
    )
    def test_a_dict_of_arrays_comes_back_with_its_keys_in_order(self, arrays):
        if any("\0" in name or "\\" in name for name in arrays):
            with pytest.raises(TypeError, match="arrays by name"):
                there_and_back(NPZ, arrays)
            return
        found = there_and_back(NPZ, arrays)
        assert list(found) == list(arrays)
        assert all(same(found[name], arrays[name]) for name in arrays)

    def test_names_that_look_like_files_or_arguments_are_kept(self):
        arrays = {name: np.arange(2) for name in ("file", "a", "a.npy", "a/b", "../a", "")}
        assert list(there_and_back(NPZ, arrays)) == list(arrays)

    def test_it_is_a_file_that_numpy_reads(self, tmp_path):
        with (tmp_path / "a.npz").open("wb") as file:
            NPZ.dump({"x": np.arange(3)}, file)
        with np.load(tmp_path / "a.npz") as found:
            assert found["x"].tolist() == [0, 1, 2]

    def test_equal_arrays_give_equal_bytes(self):
        files = io.BytesIO(), io.BytesIO()
        for file in files:
            NPZ.dump({"x": np.arange(3)}, file)
        assert files[0].getvalue() == files[1].getvalue()

    @pytest.mark.parametrize(
        ("obj", "error", "text"),
        [
            ([np.zeros(1)], TypeError, "hold a dict of arrays, not a list"),
            ({1: np.zeros(1)}, TypeError, "hold arrays by name, and 1 is none"),
            ({"a\0": np.zeros(1)}, TypeError, "hold arrays by name"),
            ({"a": [1]}, TypeError, "the array 'a' must be an ndarray, not a list"),
            ({"a": np.array([None])}, ValueError, "the array 'a' cannot be kept: dtype object"),
        ],
    )
    def test_what_would_not_come_back_is_refused_before_anything_is_written(self, obj, error, text):
        assert NPZ.can_handle(obj) is isinstance(obj, dict)
        file = io.BytesIO()
        with pytest.raises(error, match=text):
            NPZ.dump(obj, file)
        assert file.getvalue() == b""

    def test_a_pickle_inside_a_file_is_never_loaded(self):
        file = io.BytesIO()
        np.savez(file, x=np.array([Trap()]))
        file.seek(0)
        with pytest.raises(ValueError, match="allow_pickle=False"):
            NPZ.load(file)

    def test_a_torn_file_is_an_error(self):
        file = io.BytesIO()
        NPZ.dump({"x": np.arange(3)}, file)
        with pytest.raises(zipfile.BadZipFile):
            NPZ.load(io.BytesIO(file.getvalue()[:-30]))


class TestPlugin:
    def test_arrays_are_found_by_their_library(self):
        hooks = SERIALIZERS["numpy"]
        assert hooks.metalab_serializer_for(obj=np.zeros(1)).format == "numpy/npy"
        assert hooks.metalab_serializer_for(obj={"x": np.zeros(1)}) is None
        # For an array that cannot be kept, dump says why.
        assert hooks.metalab_serializer_for(obj=np.array([None])).format == "numpy/npy"

    @pytest.mark.parametrize("serializer", [NPY, NPZ])
    def test_formats_are_found_by_name(self, serializer):
        found = SERIALIZERS["numpy"].metalab_serializer_named(format=serializer.format)
        assert found == serializer
        assert isinstance(found, Serializer)
        assert (found.kind, found.extension) in {("array", "npy"), ("arrays", "npz")}

    def test_an_unknown_format_is_declined(self):
        assert SERIALIZERS["numpy"].metalab_serializer_named(format="numpy/other") is None
