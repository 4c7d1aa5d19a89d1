"""The faults of the conformance kit are there while they should be, and gone afterwards."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time

import pytest

from metalab.store import FileStoreConfig
from metalab.testing.faults import (
    Cable,
    Faulty,
    FullDisk,
    Short,
    deliver_again,
    patchy_listing,
    replaced,
    skewed_clock,
    slow_listing,
    stale_listing,
    torn,
    watched_syncs,
)
from metalab.testing.store.samples import made, put, run_id


def names(folder):
    with os.scandir(folder) as entries:
        return sorted(listdir(folder)), sorted(entry.name for entry in entries)


def listdir(folder):
    return os.listdir(folder)  # noqa: PTH208  which of the two is called is under test


class TestCalls:
    def test_a_call_fails_when_told_to_and_is_restored(self):
        real = os.getpid
        with replaced(os, "getpid", Faulty(os.getpid, fail={2}, number=errno.ENOSPC)):
            assert os.getpid() == real()
            with pytest.raises(OSError, match="No space left"):
                os.getpid()
            assert os.getpid() == real()
        assert os.getpid is real

    def test_a_short_write_takes_half(self, tmp_path):
        with (tmp_path / "f").open("wb", buffering=0) as file:
            write = Short(os.write, {1})
            assert [write(file.fileno(), b"12345678"), write(file.fileno(), b"5678")] == [4, 4]
        assert (tmp_path / "f").read_bytes() == b"12345678"

    def test_a_full_disk_takes_what_it_has_room_for(self, tmp_path):
        with (tmp_path / "f").open("wb", buffering=0) as file:
            write = FullDisk(os.write, 6)
            assert [write(file.fileno(), b"1234"), write(file.fileno(), b"5678")] == [4, 2]
            with pytest.raises(OSError, match="No space left"):
                write(file.fileno(), b"9")

    def test_syncs_of_files_are_told_and_those_of_folders_are_not(self, tmp_path):
        folder = os.open(tmp_path, os.O_RDONLY)
        told = []
        with (tmp_path / "f").open("wb") as file, watched_syncs(told.append):
            os.fsync(folder)
            os.fsync(file.fileno())
            os.fdatasync(file.fileno())
            assert told == [file.fileno()] * 2
        os.close(folder)


class TestFiles:
    def test_a_torn_file_has_lost_its_end(self, tmp_path):
        (tmp_path / "f").write_bytes(b"12345678")
        torn(tmp_path / "f", 3)
        assert (tmp_path / "f").read_bytes() == b"12345"
        torn(tmp_path / "f", 100)
        assert (tmp_path / "f").read_bytes() == b""

    def test_a_stale_listing_lacks_what_came_after_the_first(self, tmp_path):
        (tmp_path / "a").touch()
        with stale_listing():
            assert names(tmp_path) == (["a"], ["a"])
            (tmp_path / "b").touch()
            assert names(tmp_path) == (["a"], ["a"])
            assert [path.name for path in tmp_path.iterdir()] == ["a"]
        assert names(tmp_path) == (["a", "b"], ["a", "b"])

    def test_a_tree_is_walked_as_it_is_listed(self, tmp_path):
        (tmp_path / "a" / "b").mkdir(parents=True)
        walked = list(os.walk(tmp_path))
        with stale_listing():
            assert list(os.walk(tmp_path)) == walked
            (tmp_path / "a" / "c").touch()
            assert list(os.walk(tmp_path)) == walked

    def test_an_empty_folder_is_listed_stale_too(self, tmp_path):
        with stale_listing():
            assert names(tmp_path) == ([], [])
            (tmp_path / "b").touch()
            assert names(tmp_path) == ([], [])

    def test_a_patchy_listing_lacks_another_name_each_time(self, tmp_path):
        for name in "abc":
            (tmp_path / name).touch()
        with patchy_listing():
            seen = [sorted(listdir(tmp_path)) for _ in range(3)]
        assert seen == [["b", "c"], ["a", "c"], ["a", "b"]]

    def test_what_happens_during_a_slow_listing_is_in_the_next(self, tmp_path):
        (tmp_path / "a").touch()
        with slow_listing((tmp_path / "b").touch):
            assert listdir(tmp_path) == ["a"]
            assert sorted(listdir(tmp_path)) == ["a", "b"]

    def test_a_clock_is_wrong_for_a_while(self):
        now = time.time()
        with skewed_clock(-86400):
            assert abs(time.time() - (now - 86400)) < 3600
            assert abs(time.time_ns() / 1e9 - (now - 86400)) < 3600
        assert abs(time.time() - now) < 3600

    def test_lines_come_again_and_are_known(self, tmp_path):
        store = FileStoreConfig(tmp_path).connect().scoped("a:1")
        put(store, made(), made(attempt=2), made(number=1))
        size = sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl"))
        assert [deliver_again(store) for _ in range(3)] == [3, 3, 3]
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl")) > size
        assert len(store.read().attempts(run_id())) == 2


class TestCable:
    @pytest.fixture
    def server(self):
        """A server that says everything twice."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
            yield listener.getsockname()

    @staticmethod
    def _serve(listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with near:
                while data := near.recv(100):
                    near.sendall(data * 2)

    def test_it_carries_is_cut_and_is_mended(self, server):
        with Cable(*server) as cable:
            with socket.create_connection((cable.host, cable.port)) as line:
                line.sendall(b"one")
                assert line.recv(100) == b"oneone"
                with cable.lost():
                    assert line.recv(100) == b""
                    with socket.create_connection((cable.host, cable.port)) as another:
                        assert another.recv(100) == b""
            with socket.create_connection((cable.host, cable.port)) as line:
                line.sendall(b"two")
                assert line.recv(100) == b"twotwo"
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((cable.host, cable.port))
