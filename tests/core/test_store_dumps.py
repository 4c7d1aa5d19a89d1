"""Artifacts that are written to a file: a large one has no other copy, in memory or on disk."""

from __future__ import annotations

import errno
import gc
import hashlib
import itertools
import os
import resource
import signal
import threading
import zipfile
from pathlib import Path

import attrs
import numpy as np
import pytest

from core.store_tools import content, made, names_in, python, run_id, store_at
from memory_tools import traced_memory
from metalab.capture import Capture
from metalab.errors import CaptureError, StoreError
from metalab.store.file import disk, large
from metalab.store.file.packs import LARGEST

RUN = run_id(0xAB << 120)
RECORD = attrs.evolve(made(), run_id=RUN)


@pytest.fixture
def store(tmp_path):
    return store_at(tmp_path)


@pytest.fixture
def writer(store):
    with store.writer("w") as writer:
        yield writer


@pytest.fixture
def small_files():
    """A system on which no file may have more than a million bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 1, LARGEST, LARGEST + 1, 3_000_000])
@pytest.mark.parametrize("pieces", [1, 7])
def test_what_is_written_is_kept(store, writer, size, pieces):
    data = bytes(range(256)) * (size // 256 + 1)
    cuts = [size * each // pieces for each in range(pieces + 1)]

    def dump(file):
        for first, last in itertools.pairwise(cuts):
            assert file.write(memoryview(data)[first:last]) == last - first

    uri, digest, told = writer.dump_artifact(RECORD, "a", dump, extension="bin")
    assert content(store, uri) == data[:size]
    assert (digest, told) == (hashlib.sha256(data[:size]).hexdigest(), size)
    assert uri.startswith("artifacts/" if size > LARGEST else "packs/")


def test_equal_bytes_have_one_file_however_they_came(store, writer, tmp_path):
    data = os.urandom(1_000_000)
    (tmp_path / "file").write_bytes(data)
    ways = [
        writer.dump_artifact(RECORD, "a", lambda file: file.write(data), extension="bin"),
        writer.put_artifact(RECORD, "a", data, extension="bin"),
        writer.put_artifact(RECORD, "a", tmp_path / "file", extension="bin"),
        writer.dump_artifact(RECORD, "a", lambda file: file.write(data), extension="bin"),
    ]
    assert len(set(ways)) == 1
    assert len(names_in(store, "artifacts")) == 1


def test_what_is_dumped_may_be_sought_read_and_cut(store, writer):
    def dump(file):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a", b"a" * 300_000)
            archive.writestr("b", b"b" * 300_000)
        with zipfile.ZipFile(file) as archive:
            assert archive.namelist() == ["a", "b"]
        size = file.seek(0, os.SEEK_END)
        file.write(b"what is cut off again" * 20_000)
        file.truncate(size)
        file.seek(3)

    uri, digest, size = writer.dump_artifact(RECORD, "a", dump, extension="zip")
    kept = content(store, uri)
    assert (digest, size) == (hashlib.sha256(kept).hexdigest(), len(kept))
    with store.open_artifact(uri) as file, zipfile.ZipFile(file) as archive:
        assert archive.read("b") == b"b" * 300_000


@pytest.mark.parametrize("size", [10, 1_000_000])
@pytest.mark.parametrize("error", [LookupError("bad"), KeyboardInterrupt(), OSError("of yours")])
def test_what_a_dump_raises_is_raised_and_nothing_kept(store, writer, size, error):
    def dump(file):
        file.write(b"x" * size)
        raise error

    with pytest.raises(type(error)) as raised:
        writer.dump_artifact(RECORD, "a", dump, extension="bin")
    assert raised.value is error
    assert names_in(store, "artifacts") == names_in(store, "packs") == []


def test_what_the_disk_does_not_take_is_a_store_error(store, writer, small_files):
    def dump(file):
        for _ in range(30):
            file.write(b"x" * 100_000)

    with pytest.raises(StoreError, match=r"the artifact 'a' cannot be kept: File too large.*limit"):
        writer.dump_artifact(RECORD, "a", dump, extension="bin")
    assert names_in(store, "artifacts") == []
    uri, _, _ = writer.dump_artifact(RECORD, "a", lambda f: f.write(b"x" * 900_000), extension="")
    assert content(store, uri) == b"x" * 900_000


def test_what_the_disk_takes_only_at_first_is_a_store_error(store, writer, small_files):
    """The last bytes wait in a buffer until the file is complete."""

    def dump(file):
        file.write(b"x" * 999_999)
        file.write(b"yy")

    with pytest.raises(StoreError, match=r"the artifact 'a' cannot be kept: File too large"):
        writer.dump_artifact(RECORD, "a", dump, extension="bin")
    assert names_in(store, "artifacts") == []


def test_a_capture_says_what_the_store_did_not_take(store, writer, small_files):
    capture = Capture(RECORD, writer)
    with pytest.raises(
        CaptureError,
        match=r"capture.artifact\('a'\): the store did not take it: .*File too large",
    ):
        capture.artifact("a", np.zeros(1_000_000))
    assert capture.artifacts == []
    assert names_in(store, "artifacts") == []


@pytest.mark.parametrize("call", ["sync", "sha256_of_file"])
def test_a_disk_that_fails_at_the_end_is_a_store_error(store, writer, monkeypatch, call):
    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(disk if call == "sync" else large, call, fail)
        with pytest.raises(StoreError, match="the artifact 'a' cannot be kept: Input/output error"):
            writer.dump_artifact(RECORD, "a", lambda f: f.write(b"x" * 500_000), extension="")
    assert names_in(store, "artifacts") == []


def test_an_interrupt_while_it_is_hashed_is_an_interrupt_and_no_more(store, writer, monkeypatch):
    """The thread that hashes finds its file closed, and says nothing."""

    def interrupt(_):
        raise KeyboardInterrupt

    threads = set(threading.enumerate())
    with monkeypatch.context() as patched:
        patched.setattr(disk, "sync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            writer.dump_artifact(RECORD, "a", lambda f: f.write(bytes(50_000_000)), extension="")
    for thread in set(threading.enumerate()) - threads:
        thread.join()
    assert names_in(store, "artifacts") == []


def test_what_a_killed_process_was_dumping_is_a_stray_and_no_damage(store, tmp_path):
    script = f"""if True:
        import os, signal
        from core.store_tools import made, store_at

        def dump(file):
            file.write(b"x" * 500_000)
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

        writer = store_at({str(tmp_path)!r}).writer("killed")
        writer.put(made())
        writer.flush()
        writer.dump_artifact(made(), "a", dump, extension="bin")
    """
    assert python(script).wait(120) == -signal.SIGKILL
    (left,) = names_in(store, "artifacts")
    assert Path(left).name.startswith(disk.TEMPORARY)
    found = store.inspect()
    assert {flaw.kind for flaw in found.flaws} == {"stray"}
    assert store.list_run_records() == [made()]


def test_an_artifact_of_any_size_has_no_copy_in_memory(store, writer):
    capture = Capture(RECORD, writer)
    array = np.zeros(8_000_000)
    capture.artifact("warm", array[:200_000])
    gc.collect()
    with traced_memory() as taken:
        artifact = capture.artifact("a", array)
    assert artifact.size_bytes > array.nbytes
    assert taken.peak < 2_000_000


def test_nothing_is_written_anywhere_else(store, writer, tmp_path, monkeypatch):
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    seen = []

    def dump(file):
        file.write(b"x" * 5_000_000)
        seen.extend([*aside.iterdir(), *names_in(store, "artifacts")])

    writer.dump_artifact(RECORD, "a", dump, extension="")
    (name,) = seen
    assert Path(name).name.startswith(disk.TEMPORARY)


def test_threads_dump_at_the_same_time(store, writer):
    both = threading.Barrier(2)
    kept = {}

    def work(letter):
        def dump(file):
            file.write(letter * 400_000)
            both.wait(120)
            file.write(letter * 400_000)

        kept[letter] = writer.dump_artifact(RECORD, "a", dump, extension="")[0]

    threads = [threading.Thread(target=work, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {letter: content(store, uri) for letter, uri in kept.items()} == {
        letter: letter * 800_000 for letter in (b"a", b"b")
    }
