"""Arrays mapped from a store: the same values, no copy, nothing to write to."""

from __future__ import annotations

import gc
import mmap
import os
import resource
import sys
from contextlib import contextmanager, nullcontext
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as hnp

import metalab
from memory_tools import traced_memory
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
FILES = Path("/proc/self/fd")
CLOSES_FILES = sys.version_info >= (3, 13)  # of what it maps


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
        capture.artifact("archive", {"a": np.arange(3)}, format="numpy/npz")

    (found,) = metalab.run(once(keep), tmp_path / "store", progress=False).result()
    assert found.status == "success", found.error
    return found


def owner_of(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


def file_of_large(run):
    (path,) = Path(run._reader.store.get_working_directory()).rglob("*.large.*.npy")
    return path


def open_files():
    return len(list(FILES.iterdir()))


@contextmanager
def room_for_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(int(each.name) for each in FILES.iterdir()) + 4
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def file_with(array):
    file = BytesIO()
    NpySerializer().dump(array, file)
    return file.getvalue()


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
    assert run.artifact("archive", mmap=True)["a"].tolist() == [0, 1, 2]


def test_it_is_aligned_as_its_dtype_wants(run):
    for name in ("small", "large", "fortran", "moments"):
        assert run.artifact(name, mmap=True).flags.aligned


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("change", [-4096, -1, 1])
def test_a_file_of_another_size_is_damaged(run, change, mapped):
    path = file_of_large(run)
    size = path.stat().st_size
    os.truncate(path, size + change)
    text = f"damaged: .* has {size + change:,} bytes, it was kept with {size:,}"
    with pytest.raises(StoreError, match=text):
        run.artifact("large", mmap=mapped)


def test_a_pack_that_ends_early_is_damaged(run):
    (path,) = Path(run._reader.store.get_working_directory()).rglob("*.tar")
    os.truncate(path, 600)
    with pytest.raises(StoreError, match="damaged in"):
        run.artifact("small", mmap=True)


class TestFiles:
    def test_the_arrays_of_one_pack_share_what_is_mapped(self, run):
        gc.collect()  # else what other tests left may give its files back meanwhile
        before = open_files()
        arrays = [run.artifact(name, mmap=True) for name in ("small", "structure", "moments")] * 2
        assert len({id(owner_of(array)) for array in arrays}) == 1
        assert open_files() - before == (0 if CLOSES_FILES else 1)

    def test_a_large_array_that_goes_gives_its_file_back(self, run):
        gc.collect()
        before = open_files()
        arrays = [run.artifact("large", mmap=True) for _ in range(3)]
        assert open_files() - before == (0 if CLOSES_FILES else 3)
        del arrays
        assert open_files() == before

    def test_more_files_than_may_be_open_are_an_error_that_says_so(self, run):
        refused = pytest.raises(StoreError, match=r"open files.*raise the limit .*ulimit -n")
        with room_for_files() as most, nullcontext() if CLOSES_FILES else refused:
            assert len([run.artifact("large", mmap=True) for _ in range(most)]) == most


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


@pytest.mark.parametrize("name", ["a", "größe"])
def test_looking_copies_the_header_alone(name):
    memory = memoryview(file_with(np.zeros(1_000_000, [(name, "<i8")])))
    NpySerializer().view(memory)
    with traced_memory() as taken:
        seen = NpySerializer().view(memory)
    assert seen.dtype.names == (name,)
    assert taken.peak < 50_000


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "magic"),
        (b"no such file at all", "magic"),
        (file_with(np.zeros(3))[:20], "no whole header"),
        (file_with(np.zeros(3))[:-1], "smaller than requested"),
        (file_with(np.zeros(3)).replace(b"\x93NUMPY\x01", b"\x93NUMPY\x09"), r"version \(9, 0\)"),
    ],
)
def test_a_file_that_is_none_is_refused(content, text):
    with pytest.raises(ValueError, match=text):
        NpySerializer().view(memoryview(content))


def test_a_pickle_is_refused():
    file = BytesIO()
    np.lib.format.write_array(file, np.array([object()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickled"):
        NpySerializer().view(memoryview(file.getvalue()))
