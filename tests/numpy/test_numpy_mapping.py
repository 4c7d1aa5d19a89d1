"""Arrays mapped from a store: the same values, no copy, nothing to write to."""

from __future__ import annotations

import mmap
import resource
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as hnp

import metalab
from metalab.errors import StoreError
from metalab_numpy.serializers import NpySerializer

ARRAYS = {
    "small": np.arange(12.0).reshape(3, 4),
    "large": np.arange(200_000, dtype=">i4").reshape(400, 500),
    "fortran": np.asfortranarray(np.arange(60_000.0).reshape(200, 300)),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3), "f4"),
    "moments": np.array(["2026-01-01", "NaT"], "datetime64[us]"),
    "structure": np.array([(1, 2.5), (3, 4.5)], [("a", "<i2"), ("b", ">f8")]),
    "names": np.array([(1,)], [("größe", "<i8")]),
    "nothing": np.zeros(3, "S0"),
}


def once(operation):
    return metalab.Experiment(
        name="keep",
        version="1",
        context=None,
        operation=operation,
        params=metalab.grid(),
        seeds=metalab.seeds(base=1),
    )


@pytest.fixture
def run(tmp_path):
    @metalab.operation
    def keep(capture):
        for name, array in ARRAYS.items():
            capture.artifact(name, array)
        capture.artifact("text", "no array")
        capture.artifact("several", {"a": np.arange(3)})

    (found,) = metalab.run(once(keep), tmp_path / "store", progress=False).result()
    assert found.status == "success", found.error
    return found


def owner_of(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_is_the_same_and_cannot_be_written_to(run, name):
    mapped, read = run.artifact(name, mmap=True), run.artifact(name)
    assert (mapped.dtype, mapped.shape) == (read.dtype, read.shape)
    assert mapped.tobytes("A") == read.tobytes("A")
    assert mapped.flags.f_contiguous == read.flags.f_contiguous
    assert not mapped.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        mapped.flat[:] = 0


@pytest.mark.parametrize("name", ["small", "large", "fortran", "structure"])
def test_it_lies_in_the_file(run, name):
    """The small ones somewhere in a pack, the large one in a file of its own."""
    assert isinstance(owner_of(run.artifact(name, mmap=True)), mmap.mmap)


@pytest.mark.parametrize("name", ["small", "large"])
def test_where_nothing_can_be_mapped_it_is_read_and_cannot_be_written_to_either(
    run, name, monkeypatch
):
    monkeypatch.setattr(type(run._reader.store), "map_artifact", lambda *_: None)
    array = run.artifact(name, mmap=True)
    assert array.tolist() == ARRAYS[name].tolist()
    assert not array.flags.writeable


def test_what_is_no_array_is_read(run):
    assert run.artifact("text", mmap=True) == "no array"
    assert run.artifact("several", mmap=True)["a"].tolist() == [0, 1, 2]


def test_a_large_array_takes_no_memory(tmp_path):
    @metalab.operation
    def keep(capture):
        capture.artifact("large", np.zeros(25_000_000))  # 200 MB

    metalab.run(once(keep), tmp_path / "store", executor="process", progress=False).wait()
    results = metalab.load_results(tmp_path / "store")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    array = results.load(results[0].run_id, "large", mmap=True)
    assert array[12_345_678] == 0.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes
    (path,) = (tmp_path / "store").rglob("*.npy")
    path.unlink()
    assert array[-1] == 0.0
    with pytest.raises(StoreError, match="gone"):
        results[0].artifact("large", mmap=True)


@given(
    hnp.arrays(
        hnp.scalar_dtypes() | hnp.array_dtypes(hnp.scalar_dtypes()),
        hnp.array_shapes(min_dims=0, min_side=0, max_side=3),
    )
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_array_is_seen_in_its_bytes(array):
    file = BytesIO()
    NpySerializer().dump(array, file)
    seen = NpySerializer().view(memoryview(file.getvalue()))
    assert (seen.dtype, seen.shape) == (array.dtype, array.shape)
    for name in array.dtype.names or ():
        assert seen[name].tobytes() == array[name].tobytes()
    if array.dtype.names is None:
        assert seen.tobytes() == array.tobytes()


def test_a_pickle_is_refused():
    file = BytesIO()
    np.lib.format.write_array(file, np.array([object()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickled"):
        NpySerializer().view(memoryview(file.getvalue()))
