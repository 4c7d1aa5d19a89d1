"""Artifacts and logs outlive a failing disk."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from pathlib import Path

import pytest

from core.store_tools import made, run_id, store_at
from metalab.errors import StoreError
from metalab.records import ArtifactDescriptor
from metalab.store.file import disk
from metalab.testing.faults import Faulty, Short
from process_tools import wait_until


class TestPacksOnAFailingDisk:
    def put_one(self, store, writer, number: int, data: bytes) -> None:
        uri, digest, size = writer.put_artifact(made(number), "a", data, extension="bin")
        artifact = ArtifactDescriptor("id", "a", "bytes", "bytes", uri, digest, size)
        writer.put(made(number, artifacts=[artifact]))

    def check(self, store, count: int) -> None:
        for number in range(count):
            (artifact,) = store.list_artifacts(run_id(number))
            assert store.open_artifact(artifact).read() == b"%d" % number * 100
        assert store.read().damage == ()

    def test_an_artifact_is_durable_before_the_line_that_names_it(self, tmp_path, monkeypatch):
        store = store_at(tmp_path, commit_interval=30)
        synced = []
        real = disk.sync
        monkeypatch.setattr(
            disk,
            "sync",
            lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink()) or real(fd),
        )
        with store.writer("w") as writer:
            writer.put(made(9))
            writer.flush()
            synced.clear()
            self.put_one(store, writer, 0, b"0" * 100)
            writer.flush()
        assert [path.suffix for path in synced] == [".tar", ".jsonl"]

    def test_artifacts_that_may_not_be_durable_are_written_again_and_named_anew(
        self, tmp_path, monkeypatch
    ):
        store = store_at(tmp_path, commit_interval=30)
        with store.writer("w") as writer:
            self.put_one(store, writer, 0, b"0" * 100)
            writer.flush()
            self.put_one(store, writer, 1, b"1" * 100)
            self.put_one(store, writer, 2, b"2" * 100)
            late = writer.put_artifact(made(3), "a", b"3" * 100, extension="bin")
            monkeypatch.setattr(disk, "sync", Faulty(disk.sync, [1]))
            writer.flush()
            artifact = ArtifactDescriptor("id", "a", "bytes", "bytes", *late)
            writer.put(made(3, artifacts=[artifact]))
        for number in range(4):
            (artifact,) = store.list_artifacts(run_id(number))
            assert ("-2.tar" in artifact.uri) == (number > 0)
        self.check(store, 4)

    def test_a_pack_that_is_not_ours_any_more_is_written_again(self, tmp_path):
        store = store_at(tmp_path, commit_interval=30)
        with store.writer("w") as writer:
            self.put_one(store, writer, 0, b"0" * 100)
            (pack,) = (store.get_working_directory() / "packs").iterdir()
            pack.unlink()
            writer.flush()
        self.check(store, 1)

    @pytest.mark.parametrize("fail", [[1], [2], [1, 3]])
    def test_a_write_that_fails_goes_to_the_next_part(self, tmp_path, monkeypatch, fail):
        store = store_at(tmp_path, commit_interval=30)
        with store.writer("w") as writer:
            writer.put(made(9))
            writer.flush()
            monkeypatch.setattr(disk, "write", Faulty(disk.write, fail, errno.ENOSPC))
            for number in range(4):
                self.put_one(store, writer, number, b"%d" % number * 100)
            monkeypatch.undo()
        self.check(store, 4)

    @pytest.mark.parametrize("size", [100, 300_000])
    def test_a_disk_that_takes_no_artifact_says_so_at_once(self, tmp_path, monkeypatch, size):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            writer.put(made(9))
            writer.flush()
            broken = Faulty(disk.write, range(1, 100), errno.ENOSPC)
            monkeypatch.setattr(disk, "write", broken)
            monkeypatch.setattr(disk, "sync", Faulty(disk.sync, range(1, 100), errno.ENOSPC))
            with pytest.raises(
                StoreError, match=r"the artifact 'a' cannot be kept: No space left.*free some space"
            ):
                writer.put_artifact(made(0), "a", b"x" * size, extension="bin")
            monkeypatch.undo()
        assert not [p for p in tmp_path.rglob("*") if ".tmp" in p.name]

    def test_a_disk_that_fails_again_while_they_are_written_again_is_tried_once_more(
        self, tmp_path, monkeypatch
    ):
        store = store_at(tmp_path, commit_interval=30)
        with store.writer("w") as writer:
            self.put_one(store, writer, 0, b"0" * 100)
            sync, write = disk.sync, disk.write
            # The sync fails, and then the first writes to the part that should hold all anew.
            broken = Faulty(write, range(1, 4))

            def fail(fd):
                monkeypatch.setattr(disk, "sync", sync)
                monkeypatch.setattr(disk, "write", broken)
                raise OSError(errno.EIO, os.strerror(errno.EIO))

            monkeypatch.setattr(disk, "sync", fail)
            writer.flush()
        assert broken.calls > 3
        (artifact,) = store.list_artifacts(run_id(0))
        assert not artifact.uri.startswith(f"packs/{writer.name}.tar")
        self.check(store, 1)

    def test_those_in_a_part_that_took_no_more_are_written_again_too(self, tmp_path, monkeypatch):
        store = store_at(tmp_path, commit_interval=30)
        with store.writer("w") as writer:
            self.put_one(store, writer, 0, b"0" * 100)
            with monkeypatch.context() as patched:
                patched.setattr(disk, "write", Faulty(disk.write, [1]))
                self.put_one(store, writer, 1, b"1" * 100)
            writer.flush()
        packs = {store.list_artifacts(run_id(n))[0].uri.partition("#")[0] for n in range(2)}
        assert packs == {f"packs/{writer.name}-3.tar"}
        self.check(store, 2)

    def test_a_disk_that_never_syncs_is_an_error_and_is_not_filled_with_copies(
        self, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("metalab.store.file.packs._BUFFER", 1000)
        store = store_at(tmp_path, store_timeout=0.3)
        writer = store.writer("w")
        writer.put(made(99))
        writer.flush()
        all_put = threading.Event()

        def fail(_fd):
            all_put.wait(60)  # else a slow machine's last ones come when the disk is given up
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patched:
            patched.setattr(disk, "sync", fail)
            for number in range(11):
                writer.put_artifact(made(number), "a", b"%d" % number * 100, extension="bin")
            all_put.set()
            with pytest.raises(StoreError, match="cannot be written to the store"):
                writer.flush()
            with pytest.raises(StoreError, match="cannot be written to the store"):
                writer.put_artifact(made(11), "a", b"x" * 100, extension="bin")
        assert len(list((store.get_working_directory() / "packs").iterdir())) < 20
        wait_until(lambda: not writer._pack._waiting)
        writer.close()

    def test_adding_waits_while_too_much_is_not_durable(self, tmp_path, monkeypatch):
        monkeypatch.setattr("metalab.store.file.packs._BUFFER", 1000)
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            for number in range(20):
                self.put_one(store, writer, number, b"%d" % number * 100)
        self.check(store, 20)


class TestLogsOnAFailingDisk:
    def test_lines_wait_in_memory_and_go_to_a_new_part(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            writer.append_log(made(), "one")
            monkeypatch.setattr(disk, "write", Short(disk.write, [1]))
            writer.append_log(made(), "two")
            writer.append_log(made(), "three")
            monkeypatch.undo()
            writer.put(made())
        assert store.get_log(run_id()) == "one\ntwo\nthree\n"
        assert len(list((store.get_working_directory() / "logs").iterdir())) == 2

    def test_a_log_that_cannot_be_written_for_long_is_an_error(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        writer = store.writer("w")
        monkeypatch.setattr(disk, "write", Faulty(disk.write, range(1, 10_000), errno.ENOSPC))

        def log_much() -> None:
            for _ in range(20):
                writer.append_log(made(), "x" * 100_000)

        with pytest.raises(StoreError, match="a log cannot be written: No space left"):
            log_much()
        with pytest.raises(StoreError, match="a log cannot be written"):
            writer.flush()
        monkeypatch.undo()
        writer.close()
        assert len(store.get_log(run_id())) > 1_000_000


class TestLargeArtifacts:
    def put_one(self, writer, number: int, acknowledged=None) -> ArtifactDescriptor:
        run = made(number)
        kept = writer.put_artifact(run, "a", b"%d" % number * 300_000, extension="bin")
        artifact = ArtifactDescriptor("id", "a", "bytes", "bytes", *kept)
        writer.put(made(number, artifacts=[artifact]), acknowledged)
        return artifact

    @pytest.fixture
    def synced(self, monkeypatch):
        """The kind of what is synced, in order."""
        found = []
        file, directory = disk.sync, disk.sync_directory

        def sync(fd):
            name = Path(f"/proc/self/fd/{fd}").readlink().name
            found.append("data" if name.startswith(disk.TEMPORARY) else Path(name).suffix)
            file(fd)

        def sync_directory(path):
            found.append("name" if path.parent.name == "artifacts" else path.name)
            directory(path)

        monkeypatch.setattr(disk, "sync", sync)
        monkeypatch.setattr(disk, "sync_directory", sync_directory)
        return found

    def test_data_and_name_are_durable_before_the_line(self, tmp_path, synced):
        store = store_at(tmp_path, commit_interval=30)
        with store.writer("w") as writer:
            self.put_one(writer, 1)
            writer.flush()
            synced.clear()
            self.put_one(writer, 2)
            assert synced == ["data"]
            writer.flush()
            assert synced == ["data", "name", ".jsonl"]

    def test_one_sync_serves_all_names_of_a_directory(self, tmp_path, synced):
        store = store_at(tmp_path, commit_interval=30)
        with store.writer("w") as writer:
            self.put_one(writer, 0)
            writer.flush()
            synced.clear()
            for number in range(1, 6):
                self.put_one(writer, number)
            writer.flush()
        assert (synced.count("data"), synced.count("name")) == (5, 1)

    def test_a_flush_makes_names_durable_that_no_line_refers_to(self, tmp_path, synced):
        store = store_at(tmp_path, commit_interval=30)
        with store.writer("w") as writer:
            writer.put_artifact(made(1), "a", b"x" * 300_000, extension="bin")
            writer.flush()
            assert synced.count("name") == 1

    def test_a_name_that_is_not_durable_holds_its_line_back(self, tmp_path, monkeypatch):
        store = store_at(tmp_path, commit_interval=30)
        acknowledged = []
        with store.writer("w") as writer:
            self.put_one(writer, 1)
            writer.flush()
            seen = []
            real = disk.sync_directory

            def sync_directory(path):
                seen.append((path.parent.name, len(acknowledged)))
                if len(seen) < 4:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                real(path)

            monkeypatch.setattr(disk, "sync_directory", sync_directory)
            artifact = self.put_one(writer, 2, lambda: acknowledged.append(2))
            writer.flush()
        assert seen[:4] == [("artifacts", 0)] * 4
        assert acknowledged == [2]
        assert store.list_artifacts(run_id(2)) == [artifact]
        assert store.read().damage == ()

    def test_a_directory_that_somebody_removed_holds_nothing_back(self, tmp_path):
        store = store_at(tmp_path, commit_interval=30)
        acknowledged = []
        with store.writer("w") as writer:
            self.put_one(writer, 1, lambda: acknowledged.append(1))
            shutil.rmtree(store.get_working_directory() / "artifacts")
            writer.flush()
        assert acknowledged == [1]

    def test_where_no_thread_can_be_started_it_is_hashed_all_the_same(self, tmp_path, monkeypatch):
        store = store_at(tmp_path, commit_interval=30)
        with store.writer("w") as writer:
            self.put_one(writer, 1)
            with monkeypatch.context() as patched:
                patched.setattr(threading.Thread, "start", _no_thread)
                artifact = writer.put_artifact(made(2), "a", b"2" * 300_000, extension="bin")
        assert artifact[1] == hashlib.sha256(b"2" * 300_000).hexdigest()


def _no_thread(_thread):
    raise RuntimeError("can't start new thread")
