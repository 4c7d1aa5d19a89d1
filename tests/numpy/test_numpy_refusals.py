"""Arrays of every sort: what is kept as an artifact comes back the same, the rest is refused."""

from __future__ import annotations

import numpy as np
import pytest

import metalab
from metalab.errors import CaptureError, IdentityError
from metalab.identity.canonical import canonical_bytes
from metalab.identity.values import from_jsonable, to_jsonable
from metalab_numpy import forms
from metalab_numpy.serializers import NpySerializer

NESTED = [("a", "<i4"), ("b", [("c", "<f8"), ("d", [("e", object, (2,))])])]
WIDE = np.dtype("g").itemsize > 8


class Unit(np.ndarray):
    """What a library may make of an array."""


def read_only():
    array = np.arange(3.0)
    array.flags.writeable = False
    return array


def records():
    return np.rec.array([(1, 2.5), (3, 4.5)], dtype=[("a", "<i4"), ("b", "<f8")])


KEPT = {
    "of no dimension": np.array(1.5),
    "in Fortran order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">i4"),
    "dates": np.array(["2026-01-01T00:00:00.5", "NaT"], "M8[ms]"),
    "dates of two days": np.array(["2026-01-01"], "M8[2D]"),
    "spans": np.array([1, -1], "m8[25us]"),
    "complex": np.array([1 + 2j, complex(np.nan, -0.0)], "c8"),
    "complex, big endian": np.array([1 + 2j], ">c16"),
    "halves": np.array([0.1, np.inf, -0.0], "f2"),
    "truths": np.array([True, False]),
    "void": np.array([b"\0\1\2", b"\3\0\0"], "V3"),
    "void of no bytes": np.zeros(2, "V0"),
    "bytes": np.array([b"a\0b", b"\0"], "S4"),
    "text": np.array(["é\0x", ""], "U4"),
    "big endian text": np.array(["é"], ">U2"),
    "empty": np.zeros((0, 3), "f4"),
    "of no fields": np.zeros(2, []),
    "of 32 dimensions": np.arange(2.0).reshape((1,) * 31 + (2,)),
    "backwards": np.arange(6)[::-1],
    "backwards in two": np.arange(6).reshape(2, 3)[::-1, ::-1],
    "every other": np.arange(12).reshape(3, 4)[:, ::2],
    "one value repeated": np.broadcast_to(np.float64(1), (3, 4)),
    "read-only": read_only(),
    "structured": np.array([(1, [2, 3])], [("a", ">i2"), ("b", "<f4", (2,))]),
    "with titles": np.array([(1,)], [(("a title", "a"), "<i4")]),
    "records as an array": np.asarray(records()),
}
LOST = {
    "matrix": (
        np.zeros((1, 2)).view(np.matrix),
        r"a matrix is more than an array: write np\.asarray",
    ),
    "records": (records(), r"a recarray is more than an array: write np\.asarray"),
    "of a library": (np.arange(3).view(Unit), r"an Unit is more .*: write np\.asarray"),
    "masked": (np.ma.array([1], mask=[1]), r"a MaskedArray .*: its mask would be lost; .*filled"),
    "a masked value": (np.ma.masked, "a MaskedConstant .*: its mask would be lost"),
    "objects": (np.array([1, None]), "dtype object holds references to Python objects"),
    "a field of objects": (np.zeros(2, NESTED), r"field 'b\.d\.e' .* holds references to Python"),
    "fields that overlap": (
        np.zeros(2, {"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 2]}),
        "has no description that numpy reads back",
    ),
}
if WIDE:
    LOST["extended"] = (np.zeros(2, "g"), r"other numbers on other machines; .*astype\(float\)")
    LOST["extended complex"] = (np.zeros(2, "G"), r"other machines; .*astype\(complex\)")
    LOST["a field of extended"] = (np.zeros(2, [("a", "g")]), r"field 'a' .* other machines")
if hasattr(np.dtypes, "StringDType"):
    TEXT = np.dtypes.StringDType()
    LOST["text of any length"] = (np.array(["a"], TEXT), r"text of any length.*astype\(\"U20\"\)")


def through_a_run(tmp_path, arrays):
    @metalab.operation
    def keep(capture):
        for name, array in arrays.items():
            capture.artifact(name, array)

    experiment = metalab.Experiment(
        name="keep",
        version="1",
        context=None,
        operation=keep,
        params=metalab.grid(),
        seeds=metalab.seeds(base=1),
    )
    (run,) = metalab.run(experiment, tmp_path / "store", progress=False).result()
    assert run.status == "success", run.error
    return run


def assert_same(found, array):
    assert type(found) is np.ndarray
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.dtype.byteorder == array.dtype.byteorder
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("mapped", [True, False])
def test_what_is_kept_comes_back_as_it_was(tmp_path, mapped):
    run = through_a_run(tmp_path, KEPT)
    for name, array in KEPT.items():
        found = run.artifact(name, mmap=mapped)
        assert_same(found, array)
        assert found.flags.writeable is not mapped
    assert run.artifact("in Fortran order", mmap=mapped).flags.f_contiguous


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_identifies_a_run_and_comes_back_from_json(name):
    array = KEPT[name]
    assert canonical_bytes(array) == canonical_bytes(array.copy())
    assert_same(from_jsonable(to_jsonable(array)), array)
    form = forms.form_of(array)
    assert_same(forms.revive(form.tag, form.payload), array)


@pytest.mark.parametrize("name", LOST)
def test_what_would_not_come_back_is_no_artifact(name):
    array, text = LOST[name]
    assert not NpySerializer().can_handle(array)
    with metalab.Capture() as capture, pytest.raises(CaptureError, match=f"'x'.*{text}"):
        capture.artifact("x", array)


@pytest.mark.parametrize("name", LOST)
def test_what_would_not_come_back_identifies_no_run(name):
    array, text = LOST[name]
    with pytest.raises(IdentityError, match=rf"params\['x'\]: .*{text}"):
        canonical_bytes({"x": array}, "params")


@pytest.mark.parametrize("name", LOST)
def test_what_would_not_come_back_is_no_data(name):
    with metalab.Capture() as capture, pytest.raises(CaptureError, match=r"'x'.*\['inside'\]"):
        capture.data("x", {"inside": LOST[name][0]})


@pytest.mark.parametrize("name", LOST)
def test_an_archive_names_the_array_at_fault(name):
    array, text = LOST[name]
    refused = pytest.raises(CaptureError, match=f"the array 'bad' cannot be kept: .*{text}")
    with metalab.Capture() as capture, refused:
        capture.artifact("x", {"good": np.zeros(1), "bad": array}, format="numpy/npz")


def test_as_many_dimensions_as_numpy_has_are_kept(tmp_path):
    array = np.zeros((1,) * (32 if np.__version__.startswith("1.") else 64))
    run = through_a_run(tmp_path, {"deep": array})
    for mapped in (True, False):
        assert_same(run.artifact("deep", mmap=mapped), array)


class TestMemmap:
    @pytest.fixture
    def array(self, tmp_path):
        array = np.memmap(tmp_path / "values", "<f4", "w+", shape=(2, 3))
        array[...] = np.arange(6).reshape(2, 3)
        return array

    def test_it_is_kept_as_the_array_it_shows(self, tmp_path, array):
        run = through_a_run(
            tmp_path, {"whole": array, "part": array[:, 1:], "inside": {"x": array}}
        )
        assert_same(run.artifact("whole"), array)
        assert_same(run.artifact("part"), array[:, 1:])
        assert_same(run.artifact("inside")["x"], array)

    def test_it_identifies_a_run_as_that_array_does(self, array):
        assert canonical_bytes(array) == canonical_bytes(np.array(array))


def test_metadata_of_a_dtype_is_lost_with_a_warning():
    array = np.zeros(2, np.dtype("<i4", metadata={"unit": "m"}))
    with metalab.Capture() as capture, pytest.warns(UserWarning, match="metadata on a dtype"):
        assert capture.artifact("x", array).format == "numpy/npy"
