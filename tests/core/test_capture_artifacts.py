"""Artifacts, files and figures: what is kept, how it is described, what is refused."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from memory_tools import traced_memory
from metalab.capture import Capture, MemoryWriter
from metalab.errors import CaptureError, StoreError
from metalab.events import EventKind
from metalab.records import RunRecord
from metalab.serializers import serializer_named
from metalab.store.spool import Spool

RUN = "ab" * 16


class Opaque:
    pass


class Sketch:
    """Anything with savefig is a figure."""

    def __init__(self, error=None):
        self.error = error

    def savefig(self, file, *, format, dpi):  # noqa: A002 - matplotlib's name for it
        if self.error is not None:
            raise self.error
        file.write(f"{format} {dpi}".encode())


class PathWriter(MemoryWriter):
    """Notes what the bytes of artifacts came as."""

    def __init__(self):
        super().__init__()
        self.sources = []

    def put_artifact(self, record, name, source, *, extension):
        self.sources.append((type(source).__mro__, extension))
        return super().put_artifact(record, name, source, extension=extension)


class FullWriter(MemoryWriter):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def put_artifact(self, record, name, source, *, extension):
        raise self.error


@pytest.fixture
def writer():
    return PathWriter()


@pytest.fixture
def events():
    return []


@pytest.fixture
def capture(writer, events):
    record = RunRecord.running(run_id=RUN)
    with Capture(record, writer, emit=events.append) as capture:
        yield capture


def read(writer, artifact):
    return serializer_named(artifact.format, allow_pickle=True).load(writer.open_artifact(artifact))


class TestArtifact:
    @pytest.mark.parametrize(
        ("obj", "kind", "format_"),
        [
            ("text", "text", "builtins/text"),
            (b"bytes", "bytes", "builtins/bytes"),
            ({"a": (1, 2)}, "json", "builtins/json"),
            ([math.inf], "json", "builtins/json"),
        ],
    )
    def test_comes_back(self, writer, capture, obj, kind, format_):
        artifact = capture.artifact("a", obj)
        assert (artifact.name, artifact.kind, artifact.format) == ("a", kind, format_)
        assert read(writer, artifact) == obj
        assert capture.artifacts == [artifact]

    def test_of_numpy_comes_back(self, writer, capture):
        array = np.arange(12, dtype=">i2").reshape(3, 4)
        artifact = capture.artifact("a", array)
        assert (artifact.kind, artifact.format) == ("array", "numpy/npy")
        back = read(writer, artifact)
        assert back.dtype == array.dtype
        assert (back == array).all()

    def test_is_described(self, writer, capture):
        artifact = capture.artifact("a", "text", metadata={"unit": "m", "range": (0, 1)})
        assert artifact.content_hash == hashlib.sha256(b"text").hexdigest()
        assert artifact.size_bytes == 4
        assert artifact.metadata == {"unit": "m", "range": (0, 1)}

    def test_metadata_is_a_copy(self, capture):
        metadata = {"labels": ["a"]}
        artifact = capture.artifact("a", "text", metadata=metadata)
        metadata["labels"].append("b")
        assert artifact.metadata == {"labels": ["a"]}

    def test_metadata_that_cannot_be_kept_is_named(self, capture):
        with pytest.raises(CaptureError, match=r"artifact\('a'\): metadata\['x'\]\[0\]: "):
            capture.artifact("a", "text", metadata={"x": [Opaque()]})
        assert capture.artifacts == []

    def test_by_kind_and_by_format(self, capture):
        assert capture.artifact("a", "text", kind="json").format == "builtins/json"
        assert capture.artifact("b", "text", format="builtins/json").kind == "json"

    def test_that_nothing_keeps_fails_the_call(self, capture):
        with pytest.raises(CaptureError, match=r"capture.artifact\('a'\): nothing keeps .*Opaque"):
            capture.artifact("a", Opaque())

    def test_names_the_place_of_what_cannot_be_kept(self, capture):
        with pytest.raises(CaptureError, match=r"capture.artifact\('a'\): .*value\['x'\]"):
            capture.artifact("a", {"x": Opaque()})

    def test_of_an_unknown_format_fails_the_call(self, capture):
        with pytest.raises(CaptureError, match="plugin is named 'zarr'"):
            capture.artifact("a", {}, format="zarr/array")

    def test_pickle_must_be_allowed(self, writer, capture):
        with pytest.raises(CaptureError, match=r"Experiment\(allow_pickle=True\)"):
            capture.artifact("a", {1}, kind="pickle")
        trusting = Capture(RunRecord.running(run_id=RUN), writer, allow_pickle=True)
        assert read(writer, trusting.artifact("a", {1}, kind="pickle")) == {1}
        with pytest.raises(CaptureError, match="cannot be pickled"):
            trusting.artifact("b", lambda: None, kind="pickle")

    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), StoreError("full")])
    def test_that_the_store_does_not_take_fails_the_call(self, error):
        capture = Capture(RunRecord.running(run_id=RUN), FullWriter(error))
        with pytest.raises(CaptureError, match=r"artifact\('a'\): the store did not take it"):
            capture.artifact("a", "x")
        assert capture.artifacts == []

    def test_tells_when_it_is_saved(self, capture, events):
        artifact = capture.artifact("a", "text")
        (event,) = events
        assert event.kind is EventKind.ARTIFACT_SAVED
        assert event.run_id == RUN
        assert event.payload == {
            "name": "a",
            "kind": "text",
            "format": "builtins/text",
            "uri": artifact.uri,
            "size_bytes": 4,
        }


class TestNames:
    @pytest.mark.parametrize(
        "name", ["../../../../esc", "/etc/passwd", "a\nb", "CON", "~", ".", "a" * 500, "Größe", " "]
    )
    def test_any_name_is_kept_as_it_is(self, writer, capture, name):
        artifact = capture.artifact(name, "text")
        assert artifact.name == name
        assert read(writer, artifact) == "text"

    @pytest.mark.parametrize("name", ["", None, 3, "\udc80"])
    def test_what_is_none_is_refused(self, capture, name):
        for call in (capture.artifact, capture.data, capture.figure):
            with pytest.raises(CaptureError, match="name"):
                call(name, "text")
        with pytest.raises(CaptureError, match="name"):
            capture.file(name, __file__)

    def test_used_again_replace_with_a_warning(self, writer, capture, tmp_path):
        (tmp_path / "x.txt").write_text("file")
        capture.artifact("a", "first")
        capture.artifact("b", "other")
        capture.file("a", tmp_path / "x.txt")
        last = capture.artifact("a", "last")
        assert {a.name: a for a in capture.artifacts}["a"] == last
        assert len(capture.artifacts) == 2
        assert read(writer, last) == "last"
        assert capture.warnings == [
            "the artifact 'a' was captured more than once; the last one is kept"
        ]

    def test_give_ids_that_tell_runs_and_attempts_apart(self):
        ids = [
            Capture(RunRecord.running(run_id=run, epoch=epoch, attempt=attempt), MemoryWriter())
            .artifact(name, "x")
            .artifact_id
            for run, epoch, attempt, name in [
                ("a" * 32, 0, 1, "n"),
                ("b" * 32, 0, 1, "n"),
                ("a" * 32, 1, 1, "n"),
                ("a" * 32, 0, 2, "n"),
                ("a" * 32, 0, 1, "m"),
                ("a" * 32, 0, 1, "n"),
            ]
        ]
        assert len(set(ids)) == 5
        assert ids[0] == ids[-1]


class TestEnd:
    def test_while_an_artifact_is_written_refuses_it(self):
        """A thread that the operation did not wait for is told that its artifact is lost."""

        class Writer(MemoryWriter):
            def put_artifact(self, record, name, source, *, extension):
                capture.finish()
                return super().put_artifact(record, name, source, extension=extension)

        capture = Capture(RunRecord.running(run_id=RUN), Writer())
        with pytest.raises(CaptureError, match="the run has ended"):
            capture.artifact("a", "x")
        assert capture.artifacts == []


class TestSize:
    def test_small_objects_come_as_bytes_and_large_ones_as_files(self, writer, capture):
        capture.artifact("small", "x")
        capture.artifact("large", "x" * 3_000_000)
        ((small, _), (large, _)) = writer.sources
        assert bytes in small
        assert Path in large
        assert read(writer, capture.artifacts[1]) == "x" * 3_000_000

    def test_large_objects_never_stand_in_memory_twice(self, tmp_path):
        class DiskWriter(MemoryWriter):
            def put_artifact(self, record, name, source, *, extension):
                return name, "", source.stat().st_size

        capture = Capture(RunRecord.running(run_id=RUN), DiskWriter())
        array = np.zeros(8_000_000)
        capture.artifact("warm", array[:200_000])
        with traced_memory() as taken:
            artifact = capture.artifact("a", array)
        assert artifact.size_bytes > array.nbytes
        assert taken.peak < array.nbytes / 2

    def test_bytes_are_handed_on_as_they_are(self):
        seen = []

        class Writer(MemoryWriter):
            def put_artifact(self, record, name, source, *, extension):
                seen.append(source)
                return super().put_artifact(record, name, source, extension=extension)

        content = b"x" * 3_000_000
        Capture(RunRecord.running(run_id=RUN), Writer()).artifact("a", content)
        assert seen[0] is content

    def test_temporary_files_are_removed(self, capture, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        capture.artifact("a", "x" * 3_000_000)
        with pytest.raises(CaptureError):
            capture.artifact("b", {"text": "x" * 3_000_000, "bad": Opaque()})
        with pytest.raises(CaptureError):
            capture.figure("c", Sketch(ValueError("bad")))
        assert list(tmp_path.iterdir()) == []


class TestSpool:
    def test_is_a_file_in_memory_and_on_disk(self):
        with Spool(10) as spool:
            assert spool.readable()
            assert spool.writable()
            assert spool.seekable()
            assert spool.write(b"12345") == 5
            spool.flush()
            assert spool.content == b"12345"
            spool.seek(0)
            spool.write(b"X")
            assert spool.read() == b"2345"
            spool.write(memoryview(b"6789012"))
            spool.seek(-2, os.SEEK_END)
            assert spool.tell() == 10
            assert spool.read(1) == b"1"
            path = spool.content
            assert path.read_bytes() == b"X23456789012"
            spool.truncate(2)
            spool.flush()
            assert path.read_bytes() == b"X2"
        assert not path.exists()
        spool.close()


class TestFile:
    @pytest.mark.parametrize(
        ("name", "extension"),
        [
            ("model.pt", "pt"),
            ("data.csv.gz", "csv.gz"),
            ("model.v1.2.PT", "PT"),
            ("README", "bin"),
            (".hidden", "bin"),
            ("odd.a b", "bin"),
            ("long." + "x" * 40, "bin"),
        ],
    )
    def test_keeps_bytes_and_ending(self, writer, capture, tmp_path, name, extension):
        path = tmp_path / name
        path.write_bytes(b"\x00content")
        artifact = capture.file("a", str(path))
        assert read(writer, artifact) == b"\x00content"
        assert (artifact.kind, artifact.format) == ("file", "builtins/bytes")
        assert writer.sources[0][1] == extension
        assert path.read_bytes() == b"\x00content"

    def test_kind_is_a_label(self, capture, tmp_path):
        (tmp_path / "m").write_bytes(b"x")
        artifact = capture.file("a", tmp_path / "m", kind="model", metadata={"n": 1})
        assert artifact.kind == "model"
        assert artifact.metadata == {"n": 1}

    def test_may_begin_at_home(self, writer, capture, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "x").write_bytes(b"x")
        assert read(writer, capture.file("a", "~/x")) == b"x"

    def test_that_is_missing_is_refused(self, capture, tmp_path):
        with pytest.raises(CaptureError, match=r"capture.file\('a'\): file not found: .*nowhere"):
            capture.file("a", tmp_path / "nowhere")

    def test_that_is_a_directory_is_refused(self, capture, tmp_path):
        with pytest.raises(CaptureError, match=r"is a directory; .*pack it first"):
            capture.file("a", tmp_path)

    def test_that_has_no_end_is_refused(self, capture, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(CaptureError, match="no regular file"):
            capture.file("a", tmp_path / "pipe")

    @pytest.mark.parametrize("kind", [5, ["model"], object()])
    def test_a_kind_that_is_no_text_is_refused(self, capture, tmp_path, kind):
        (tmp_path / "m").write_bytes(b"x")
        for call in (
            lambda: capture.file("a", tmp_path / "m", kind=kind),
            lambda: capture.artifact("a", 1, kind=kind),
            lambda: capture.artifact("a", 1, format=kind),
            lambda: capture.figure("a", Sketch(), format=kind),
        ):
            with pytest.raises(CaptureError, match=r"\('a'\): (kind|format) is a str, not "):
                call()
        assert capture.artifacts == []

    def test_that_is_no_path_is_refused(self, capture):
        with pytest.raises(CaptureError, match="a path is wanted, not int"):
            capture.file("a", 3)


class TestFigure:
    def test_is_drawn(self, writer, capture):
        artifact = capture.figure("f", Sketch(), format="svg", dpi=72)
        assert read(writer, artifact) == b"svg 72"
        assert (artifact.kind, artifact.format) == ("figure", "builtins/bytes")
        assert artifact.metadata == {"format": "svg", "dpi": 72}
        assert writer.sources[0][1] == "svg"

    def test_a_resolution_may_be_a_library_s_number(self, capture):
        numpy = pytest.importorskip("numpy")
        artifact = capture.figure("f", Sketch(), dpi=numpy.int64(72))
        assert type(artifact.metadata["dpi"]) is int

    def test_defaults_to_png(self, writer, capture):
        assert read(writer, capture.figure("f", Sketch())) == b"png 150"

    def test_that_cannot_be_drawn_fails_the_call(self, capture):
        with pytest.raises(CaptureError, match=r"figure\('f'\): ValueError: bad format"):
            capture.figure("f", Sketch(ValueError("bad format")), format="../x")

    def test_that_is_none_is_refused(self, capture):
        with pytest.raises(CaptureError, match="has no savefig"):
            capture.figure("f", "a picture")

    def test_that_the_store_does_not_take_fails_the_call(self):
        capture = Capture(RunRecord.running(run_id=RUN), FullWriter(StoreError("full")))
        with pytest.raises(CaptureError, match=r"figure\('f'\): the store did not take it"):
            capture.figure("f", Sketch())


class TestMatplotlib:
    @pytest.fixture
    def pyplot(self, monkeypatch):
        matplotlib = pytest.importorskip("matplotlib")
        matplotlib.use("agg")
        from matplotlib import pyplot as plt

        yield plt
        plt.close("all")

    @pytest.mark.parametrize(
        ("format_", "head"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
    )
    def test_figures_are_drawn_and_closed(self, writer, capture, pyplot, format_, head):
        figure, axes = pyplot.subplots()
        axes.plot([1, 2])
        other = pyplot.figure()
        artifact = capture.figure("f", figure, format=format_)
        assert read(writer, artifact).startswith(head)
        assert pyplot.get_fignums() == [other.number]

    def test_figures_stay_open_if_wanted(self, capture, pyplot):
        figure = pyplot.figure()
        capture.figure("f", figure, close=False)
        assert pyplot.get_fignums() == [figure.number]

    def test_figures_that_cannot_be_drawn_are_closed_too(self, capture, pyplot):
        figure = pyplot.figure()
        with pytest.raises(CaptureError, match="not supported"):
            capture.figure("f", figure, format="nothing")
        assert pyplot.get_fignums() == []

    def test_figures_of_others_are_left_to_them(self, writer, capture, pyplot):
        figure = pyplot.figure()
        capture.figure("f", Sketch())
        assert pyplot.get_fignums() == [figure.number]
