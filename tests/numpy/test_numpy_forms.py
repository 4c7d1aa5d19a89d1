"""Numpy objects as parameters: scalars are the Python values they equal, arrays are arrays."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import msgspec
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from metalab.errors import IdentityError
from metalab.identity.canonical import canonical_bytes, fingerprint
from metalab.identity.code import closure_fingerprint
from metalab.identity.values import from_jsonable, to_jsonable
from metalab.plugins import SERIALIZERS
from metalab_numpy import forms

STRUCTURED = np.dtype([("a", "<i4"), ("b", "<f8", (2,)), ("c", "S3"), ("d", "<M8[D]")])
NESTED = np.dtype([("point", [("x", "<f4"), ("y", ">f4")]), ("tag", "<U2")])
ALIGNED = np.dtype([("a", "i1"), ("b", "f8")], align=True)


def dtypes():
    """The dtypes whose arrays are values."""
    return (
        hnp.scalar_dtypes()
        | hnp.array_dtypes(hnp.scalar_dtypes(), max_size=3)
        | hnp.nested_dtypes(hnp.scalar_dtypes(), max_leaves=4)
    ).filter(lambda dtype: not dtype.hasobject and "g" not in str(dtype.char))


def arrays():
    return dtypes().flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=3))
    )


def through_json(value, **options):
    document = to_jsonable(value, **options)
    text = json.dumps(document, allow_nan=False)
    assert msgspec.json.decode(msgspec.json.encode(document)) == json.loads(text) == document
    return from_jsonable(json.loads(text), strict=True)


def same(one, other):
    return (
        type(one) is type(other)
        and one.dtype == other.dtype
        and one.shape == other.shape
        and one.tobytes() == other.tobytes()
    )


class TestScalars:
    @pytest.mark.parametrize(
        ("scalar", "plain"),
        [
            (np.float64(0.1), 0.1),
            (np.float64("nan"), math.nan),
            (np.float64("-inf"), -math.inf),
            (np.float64(-0.0), -0.0),
            (np.float32(0.5), 0.5),
            (np.float32(0.1), float(np.float32(0.1))),
            (np.float16(0.1), float(np.float16(0.1))),
            (np.longdouble(0.5), 0.5),
            (np.longdouble("nan"), math.nan),
            (np.int8(-1), -1),
            (np.int64(2**62), 2**62),
            (np.uint64(2**64 - 1), 2**64 - 1),
            (np.bool_(True), True),
            (np.complex64(1 + 2j), 1 + 2j),
            (np.complex128(complex(math.nan, -0.0)), complex(math.nan, -0.0)),
            (np.clongdouble(1j), 1j),
            (np.str_("é"), "é"),
            (np.bytes_(b"a\x00b"), b"a\x00b"),
        ],
    )
    def test_they_are_the_python_values_they_equal(self, scalar, plain):
        assert canonical_bytes(scalar) == canonical_bytes(plain)
        assert canonical_bytes({"x": [scalar]}) == canonical_bytes({"x": [plain]})
        assert canonical_bytes(through_json(scalar)) == canonical_bytes(plain)

    def test_a_sweep_over_linspace_is_a_sweep_over_its_values(self):
        points = np.linspace(0, 1, 11)
        assert [fingerprint({"x": x}) for x in points] == [
            fingerprint({"x": x}) for x in points.tolist()
        ]

    def test_an_extended_float_that_no_float_equals_is_refused(self):
        value = np.longdouble(1) / 3
        if float(value) == value:
            pytest.skip("longdouble is double on this platform")
        for scalar in (value, np.clongdouble(value)):
            with pytest.raises(IdentityError, match=r"equals no Python (float|complex); write"):
                canonical_bytes(scalar)

    # A span without a unit is a value that stored results may hold, whatever numpy says now.
    @pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")
    def test_dates_and_spans_are_known_by_unit(self):
        values = [
            np.datetime64("2020-01-01"),
            np.datetime64("2020-01-01T00"),
            np.datetime64("2020-01-01", "2D"),
            np.datetime64("NaT"),
            np.datetime64("NaT", "D"),
            np.timedelta64(1, "D"),
            np.timedelta64(24, "h"),
            np.timedelta64(1, "ns"),
            np.datetime64(1, "ns"),
            18262,
        ]
        assert len({canonical_bytes(value) for value in values}) == len(values)
        for value in values[:-1]:
            assert same(through_json(value), value)

    def test_a_record_is_known_by_its_fields(self):
        array = np.zeros(2, STRUCTURED)
        array["a"][1] = 1
        assert canonical_bytes(array[0]) != canonical_bytes(array[1])
        assert same(through_json(array[1]), array[1])

    @given(hnp.arrays(hnp.scalar_dtypes().filter(lambda d: d.char not in "gG"), 1))
    def test_exact_writing_keeps_the_type(self, array):
        assert same(through_json(array[0], exact=True), array[0])

    def test_writing_for_people_gives_plain_values(self):
        assert to_jsonable({"x": np.float64(0.5), "n": np.int32(3)}) == {"x": 0.5, "n": 3}

    def test_a_subclass_of_a_users_own_is_refused(self):
        class Mine(np.float64):
            pass

        with pytest.raises(IdentityError, match=r"write float\(\.\.\.\)"):
            canonical_bytes(Mine(1))


class TestArrays:
    @given(arrays())
    def test_every_array_comes_back_the_same(self, array):
        found = through_json(array)
        assert same(found, array)
        assert canonical_bytes(found) == canonical_bytes(array)
        assert found.flags.writeable

    @given(arrays())
    def test_the_plugin_revives_what_it_described(self, array):
        form = forms.form_of(array)
        found = forms.revive(form.tag, form.payload)
        assert canonical_bytes(found) == canonical_bytes(array)
        assert found.dtype == array.dtype

    def test_arrays_that_differ_in_anything_never_share_bytes(self):
        values = [
            np.zeros(4),
            np.zeros(4, "f4"),
            np.zeros(4, ">f8"),
            np.zeros((2, 2)),
            np.zeros((4, 1)),
            np.zeros((4, 0)),
            np.zeros((0, 4)),
            np.array(0.0),
            np.zeros(4, "i8"),
            np.zeros(4, "M8[s]"),
            np.zeros(4, "M8[ms]"),
            np.zeros(4, "V8"),
            np.zeros(4, "S8"),
            np.zeros(4, [("a", "f8")]),
            np.zeros(4, [("b", "f8")]),
            np.zeros(4) - 0.0,
            -np.zeros(4),
            [0.0] * 4,
            b"\x00" * 32,
        ]
        assert len({canonical_bytes(value) for value in values}) == len(values) - 1

    def test_memory_layout_does_not_count(self):
        array = np.arange(12.0).reshape(3, 4)
        for other in (np.asfortranarray(array), np.flip(np.flip(array)), array.T.copy().T):
            assert canonical_bytes(other) == canonical_bytes(array)
        view = np.arange(24.0).reshape(3, 8)[:, ::2] / 2
        assert canonical_bytes(view) == canonical_bytes(array)

    def test_every_nan_is_one_nan(self):
        with np.errstate(invalid="ignore"):
            made = np.zeros(3) / 0
        for dtype in ("f4", "f8", "c8", "c16", ">f8"):
            one = np.full((2, 3), np.nan, dtype)
            one.view(one.real.dtype)[...] = np.nan
            assert canonical_bytes(one) == canonical_bytes((-one).astype(dtype))
        assert canonical_bytes(made) == canonical_bytes(np.full(3, np.nan))
        assert made.tobytes() != np.full(3, np.nan).tobytes()

    def test_the_array_is_not_changed_by_asking(self):
        array = np.array([-np.nan, 1.0])
        before = array.tobytes()
        canonical_bytes(array)
        assert array.tobytes() == before

    def test_gaps_between_fields_do_not_count(self):
        raw = np.arange(32, dtype="u1"), np.arange(32, dtype="u1") + 100
        one, other = (data.copy().view(ALIGNED) for data in raw)
        for name in ("a", "b"):
            one[name] = other[name] = 1
        assert one.tobytes() != other.tobytes()
        assert canonical_bytes(one) == canonical_bytes(other)

    @pytest.mark.parametrize(
        ("array", "text"),
        [
            (np.array([1, "a"], dtype=object), "holds references to Python objects"),
            (np.zeros(2, [("a", object)]), "holds references to Python objects"),
            (np.zeros(2, "g"), r"convert it with \.astype\(float\)"),
            (np.zeros(2, "G"), r"\.astype\(complex\)"),
            (np.ma.masked_array([1, 2]), r"is more than an array: its mask would be lost"),
            (np.zeros(2, "i4").view(np.recarray), r"write np\.asarray"),
            (
                np.zeros(2, {"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 2]}),
                "has no description that numpy reads back",
            ),
        ],
    )
    def test_what_has_no_certain_bytes_is_refused(self, array, text):
        with pytest.raises(IdentityError, match=rf"params\['x'\]\[0\]: .*{text}"):
            canonical_bytes({"x": [array]}, "params")

    def test_object_arrays_are_not_written(self):
        with pytest.raises(IdentityError, match="cannot be written as bytes and read back"):
            to_jsonable(np.array([object()]))


class TestOtherObjects:
    @pytest.mark.parametrize("dtype", ["f8", ">i2", "U3", "M8[ns]", STRUCTURED, NESTED, ALIGNED])
    def test_dtypes_are_values(self, dtype):
        dtype = np.dtype(dtype)
        assert through_json(dtype) == dtype
        assert canonical_bytes(dtype) != canonical_bytes(np.dtype("i8"))

    def test_functions_are_known_by_name(self):
        assert canonical_bytes(np.sin) != canonical_bytes(np.cos)
        assert through_json(np.sin) is np.sin
        assert through_json(np.mean) is np.mean
        assert through_json(np.float32) is np.float32

    def test_a_generator_is_refused(self):
        with pytest.raises(IdentityError, match="cannot be told apart"):
            canonical_bytes(np.random.default_rng(1))

    def test_a_tag_of_a_later_version_is_declined(self):
        assert forms.revive("tensor", 1) is None
        assert SERIALIZERS["numpy"].metalab_revive(tag="tensor", payload=1) is None

    def test_captured_arrays_tell_closures_apart(self):
        def make(array):
            return lambda: array

        assert closure_fingerprint(make(np.zeros(2))) != closure_fingerprint(make(np.ones(2)))


class TestWithoutThePlugin:
    def run(self, code):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"METALAB_DISABLE_PLUGINS": "metalab-numpy"},
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout

    def test_arrays_and_plain_scalars_are_written_and_read(self):
        code = (
            "import numpy as np, json\n"
            "from metalab.identity.values import *\n"
            "value = {'a': np.arange(3), 'x': np.float32(0.5), 'b': np.bool_(True)}\n"
            "found = from_jsonable(json.loads(json.dumps(to_jsonable(value))))\n"
            "assert (found['a'] == np.arange(3)).all() and found['x'] == 0.5, found\n"
            "print(type(found['a']).__name__, found['b'])\n"
        )
        assert self.run(code) == "ndarray True\n"

    def test_what_needs_it_stays_a_symbol(self):
        document = json.dumps(to_jsonable(np.datetime64("2020-01-01")))
        code = (
            "import json; from metalab.identity.values import *\n"
            f"found = from_jsonable(json.loads({document!r}))\n"
            f"assert to_jsonable(found) == json.loads({document!r})\n"
            "print(found.ref)\n"
        )
        assert self.run(code) == "numpy:datetime64\n"


@given(st.lists(arrays(), min_size=2, max_size=2))
def test_bytes_are_equal_exactly_when_the_arrays_are(pair):
    one, other = pair
    equal = same(forms.revive(*_form(one)), forms.revive(*_form(other)))
    assert (canonical_bytes(one) == canonical_bytes(other)) == (
        equal or _described(one) == _described(other)
    )


def _form(array):
    form = forms.form_of(array)
    return form.tag, form.payload


def _described(array):
    return repr(_form(array))
