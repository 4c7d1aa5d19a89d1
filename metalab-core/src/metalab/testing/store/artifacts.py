"""Artifacts: bytes that come back, and names that lead nowhere else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO

import attrs
import pytest

from metalab.errors import StoreError
from metalab.records import ArtifactDescriptor
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import HOSTILE, kept_artifact, made, put, run_id

if TYPE_CHECKING:
    from pathlib import Path

    from metalab.store.base import Store
    from metalab.testing.store.place import OpenStore

__all__ = ["ArtifactTests"]


class ArtifactTests(StorePlace):
    """Artifacts: bytes that come back."""

    @pytest.mark.parametrize("size", [0, 1, 511, 512, 256 << 10, (256 << 10) + 1, 3_000_000])
    def test_bytes_come_back(self, store: Store, size: int) -> None:
        data = bytes(range(256)) * (size // 256 + 1)
        with store.writer("launch") as writer:
            uri, digest, told = writer.put_artifact(made(), "a/b ü", data[:size], extension="bin")
        assert told == size, "put_artifact returns another size"
        assert digest == hashlib.sha256(data[:size]).hexdigest(), (
            "put_artifact returns another hash than SHA-256's hex digits"
        )
        with store.open_artifact(uri) as file:
            assert file.read() == data[:size], "other bytes come back"

    @pytest.mark.parametrize("size", [10, 1_000_000])
    def test_what_is_dumped_comes_back_wherever_the_file_stands(
        self, store: Store, size: int
    ) -> None:
        def dump(file: BinaryIO) -> None:
            file.write(b"?" * size)
            file.write(b"what is cut off")
            file.truncate(size)
            file.seek(size - 1)
            assert file.read() == b"?", "a file that is dumped to cannot be read and sought"
            file.seek(0)
            file.write(b"beginning"[:size])

        with store.writer("launch") as writer:
            kept = writer.dump_artifact(made(), "d", dump, extension="bin")
        descriptor = ArtifactDescriptor("id", "d", "bytes", "builtins/bytes", *kept)
        wanted = b"beginning" + b"?" * (size - 9)
        assert kept[1:] == (hashlib.sha256(wanted).hexdigest(), size), (
            "dump_artifact returns another hash or size than that of what was written"
        )
        with store.open_artifact(descriptor) as file:
            assert file.read() == wanted, "of what is dumped other bytes come back"

    @pytest.mark.parametrize("size", [10, 1_000_000])
    def test_what_a_dump_raises_is_raised_as_it_is(self, store: Store, size: int) -> None:
        error = LookupError("the dump's own")

        def dump(file: BinaryIO) -> None:
            file.write(b"x" * size)
            raise error

        with store.writer("launch") as writer:
            with pytest.raises(LookupError) as raised:
                writer.dump_artifact(made(), "d", dump, extension="bin")
            assert raised.value is error, "another error is raised than the dump's own"
            writer.put(made())
        assert store.list_run_records() == [made()]

    @pytest.mark.parametrize("size", [10, 1_000_000])
    def test_a_file_is_copied(self, store: Store, tmp_path: Path, size: int) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"x" * size)
        with store.writer("launch") as writer:
            uri, digest, told = writer.put_artifact(made(), "f", path, extension="")
        path.unlink()
        descriptor = ArtifactDescriptor("id", "f", "file", "file", uri, digest, told)
        with store.open_artifact(descriptor) as file:
            assert file.read() == b"x" * size, "of a file other bytes come back"

    @pytest.mark.parametrize(
        "uri",
        [
            "/etc/passwd",
            "../../../etc/passwd",
            "artifacts/../../../etc/passwd",
            "artifacts/..",
            "packs/../x.tar#0+1",
            "packs/x.tar#-1+1",
            "file:///etc/passwd",
            "C:\\windows",
            "",
        ],
    )
    def test_a_uri_that_leaves_the_store_is_refused(self, store: Store, uri: str) -> None:
        with pytest.raises(ValueError, match="is no artifact of this store"):
            store.open_artifact(uri)

    def test_artifacts_are_listed_from_the_current_record(self, store: Store) -> None:
        descriptor = ArtifactDescriptor("id", "a", "k", "f", "packs/x.tar#0+1")
        put(store, made(artifacts=[descriptor]))
        assert store.list_artifacts(run_id()) == [descriptor]

    def test_artifacts_of_one_name_do_not_meet(self, store: Store, open_store: OpenStore) -> None:
        with store.writer("launch") as one, store.writer("launch") as two:
            artifacts = {
                b"%d %d" % (number, attempt): kept_artifact(
                    writer, made(number=number, attempt=attempt), "a", b"%d %d" % (number, attempt)
                )
                for writer, number in ((one, 0), (two, 1))
                for attempt in (1, 2)
            }
        for content, artifact in artifacts.items():
            with open_store().open_artifact(artifact) as file:
                assert file.read() == content, "artifacts of one name have met"

    @pytest.mark.parametrize("name", HOSTILE)
    def test_an_artifact_may_have_any_name(self, store: Store, name: str) -> None:
        with store.writer("launch") as writer:
            artifact = kept_artifact(writer, made(), name, name.encode(), extension="")
            writer.put(made(artifacts=[artifact]))
        assert [each.name for each in store.list_artifacts(run_id())] == [name]
        with store.open_artifact(artifact) as file:
            assert file.read() == name.encode()

    def test_an_artifact_can_be_read_as_soon_as_it_is_kept(
        self, store: Store, open_store: OpenStore
    ) -> None:
        with store.writer("launch") as writer:
            artifact = kept_artifact(writer, made(), "a", b"early")
            writer.put(made(artifacts=[artifact]))
            with open_store().open_artifact(artifact) as file:
                assert file.read() == b"early", "an artifact is there only later"

    def test_what_is_mapped_is_what_is_kept(self, store: Store) -> None:
        content = bytes(range(256)) * 8192
        with store.writer("launch") as writer:
            artifact = kept_artifact(writer, made(), "a", content)
        mapped = store.map_artifact(artifact)
        assert mapped is None or mapped.readonly, "what is mapped can be written to"
        assert mapped is None or bytes(mapped) == content, "what is mapped is not what is kept"

    def test_artifacts_whose_bytes_are_gone_are_a_store_error(self, store: Store) -> None:
        with store.writer("launch") as writer:
            artifact = kept_artifact(writer, made(), "a", b"kept")
        lost = attrs.evolve(artifact, uri=artifact.uri.replace("launch", "lost") + "9")
        with pytest.raises((StoreError, ValueError)):
            store.open_artifact(lost)
