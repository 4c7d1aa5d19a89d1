"""Artifacts lie where a person finds them, once for equal content, and move with their store."""

from __future__ import annotations

import os
import shutil
import tarfile

import attrs
import pytest

from core.store_tools import EXPERIMENT, content, made, names_in, run_id, segments, store_at
from metalab.errors import StoreError
from metalab.records import ArtifactDescriptor
from metalab.store import FileStoreConfig
from metalab.store.file.packs import LARGEST

RUN = run_id(0xAB << 120)
RECORD = attrs.evolve(made(), run_id=RUN)


class TestSmallOnes:
    def test_they_lie_in_a_plain_tar_that_any_tool_reads(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            uri, _, _ = writer.put_artifact(RECORD, "curve", b"one", extension="npy")
            writer.put_artifact(attrs.evolve(RECORD, attempt=2), "curve", b"two", extension="npy")
            writer.put_artifact(attrs.evolve(RECORD, epoch=1), "curve", b"three", extension="npy")
            writer.put_artifact(RECORD, "no ending", b"four", extension="")
        assert names_in(store, "packs") == [f"{writer.name}.tar"]
        assert uri == f"packs/{writer.name}.tar#512+3"
        with tarfile.open(store.get_working_directory() / "packs" / f"{writer.name}.tar") as pack:
            kept = {name: pack.extractfile(name).read() for name in pack.getnames()}
        assert kept == {
            f"{RUN}/1/curve.npy": b"one",
            f"{RUN}/2/curve.npy": b"two",
            f"{RUN}/1.1/curve.npy": b"three",
            f"{RUN}/1/no%20ending": b"four",
        }

    def test_data_begin_at_multiples_of_512_so_that_they_can_be_mapped(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            for size in (1, 511, 512, 513, LARGEST):
                uri, _, _ = writer.put_artifact(RECORD, "x" * size, b"x" * size, extension="bin")
                assert int(uri.partition("#")[2].partition("+")[0]) % 512 == 0
                assert content(store, uri) == b"x" * size

    @pytest.mark.parametrize(
        "name", ["../../../../esc", "/etc/passwd", "a\\b", "é" * 200, "", "CON"]
    )
    def test_no_name_leaves_the_store(self, tmp_path, name):
        store = store_at(tmp_path / "deep" / "store")
        with store.writer("w") as writer:
            small, _, _ = writer.put_artifact(RECORD, name, b"x", extension="../x")
            large, _, _ = writer.put_artifact(RECORD, name, b"x" * 300_000, extension="../x")
        assert content(store, small) == b"x"
        assert content(store, large) == b"x" * 300_000
        assert [path.name for path in tmp_path.iterdir()] == ["deep"]
        assert [path.name for path in (tmp_path / "deep").iterdir()] == ["store"]
        (file,) = names_in(store, "artifacts")
        assert file.startswith(f"{RUN[:2]}/{RUN}.")
        with tarfile.open(store.get_working_directory() / small.partition("#")[0]) as pack:
            (member,) = pack.getnames()
        assert member.count("/") == 2
        assert ".." not in member.split("/")

    def test_a_torn_pack_gives_what_is_whole(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            first, _, _ = writer.put_artifact(RECORD, "a", b"a" * 1000, extension="bin")
            second, digest, size = writer.put_artifact(RECORD, "b", b"b" * 1000, extension="bin")
        path = store.get_working_directory() / "packs" / f"{writer.name}.tar"
        os.truncate(path, path.stat().st_size - 600)
        assert content(store, first) == b"a" * 1000
        with pytest.raises(StoreError, match="are damaged in"):
            store.open_artifact(ArtifactDescriptor("i", "b", "k", "f", second, digest, size))

    def test_changed_bytes_are_noticed(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            uri, digest, size = writer.put_artifact(RECORD, "a", b"a" * 100, extension="bin")
        path = store.get_working_directory() / "packs" / f"{writer.name}.tar"
        path.write_bytes(path.read_bytes().replace(b"aaaa", b"aaab"))
        with pytest.raises(StoreError, match=f"the bytes of {uri.partition('#')[0]}.* are damaged"):
            store.open_artifact(ArtifactDescriptor("i", "a", "k", "f", uri, digest, size))
        assert len(content(store, uri)) == 100  # without a hash there is nothing to compare


class TestLargeOnes:
    def test_they_are_files_with_readable_names(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            uri, digest, _ = writer.put_artifact(RECORD, "model", b"m" * 300_000, extension="bin")
        assert uri == f"artifacts/ab/{RUN}.model.{digest[:12]}.bin"
        assert names_in(store, "artifacts") == [uri.removeprefix("artifacts/")]

    def test_equal_content_is_kept_once_and_no_attempt_overwrites_another(self, tmp_path):
        store = store_at(tmp_path)
        uris = []
        with store.writer("w") as writer:
            for attempt, data in ((1, b"a"), (2, b"a"), (3, b"b")):
                record = attrs.evolve(RECORD, attempt=attempt)
                uris.append(writer.put_artifact(record, "m", data * 300_000, extension="")[0])
        assert uris[0] == uris[1] != uris[2]
        assert content(store, uris[0]) == b"a" * 300_000
        assert content(store, uris[2]) == b"b" * 300_000

    def test_a_file_that_is_gone_is_named(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            uri, _, _ = writer.put_artifact(RECORD, "m", b"a" * 300_000, extension="")
        shutil.rmtree(store.get_working_directory() / "artifacts")
        with pytest.raises(StoreError, match=r"are gone: .*artifacts.* is missing"):
            store.open_artifact(uri)

    def test_a_source_that_is_not_there_is_an_error_in_words(self, tmp_path):
        with (
            store_at(tmp_path).writer("w") as writer,
            pytest.raises(StoreError, match=r"the artifact 'm' cannot be kept: No such file.*nope"),
        ):
            writer.put_artifact(RECORD, "m", tmp_path / "nope", extension="")


class TestMoving:
    @pytest.mark.parametrize("size", [10, 300_000])
    def test_a_store_that_was_moved_still_opens_its_artifacts(self, tmp_path, size):
        store = store_at(tmp_path / "here")
        with store.writer("w") as writer:
            kept = writer.put_artifact(RECORD, "a", b"x" * size, extension="bin")
            artifact = ArtifactDescriptor("i", "a", "k", "f", *kept)
            writer.put(attrs.evolve(RECORD, artifacts=[artifact]))
        (tmp_path / "here").rename(tmp_path / "there")
        moved = FileStoreConfig(tmp_path / "there").open().scoped(EXPERIMENT)
        (artifact,) = moved.list_artifacts(RUN)
        assert not artifact.uri.startswith("/")
        assert content(moved, artifact) == b"x" * size

    def test_a_run_that_keeps_no_artifact_has_no_folder_for_them(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            writer.put(RECORD)
        assert {p.name for p in store.get_working_directory().iterdir()} == {
            *("experiment.json", "runs"),
        }
        assert len(segments(store)) == 1
