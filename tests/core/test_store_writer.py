"""Lines are on disk at once, durable in groups, and acknowledged only then."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from functools import partial
from itertools import count

import pytest

from core.store_tools import EXPERIMENT, made, run_id, segments, store_at
from metalab.errors import StoreError
from metalab.records import Status
from metalab.store import FileStoreConfig
from metalab.store.file import disk
from metalab.store.file.options import Options
from metalab.store.file.writer import FileWriter
from metalab.testing.faults import Faulty

SECONDS = 60.0
"""How long anything may take before it counts as hung: disks are slow at times."""


def lines_in(path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def kinds_in(path) -> list[str]:
    return [line["t"] for line in lines_in(path)]


def wait_for(condition) -> bool:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False


def writer_at(store, **options) -> FileWriter:
    """A writer with limits that no configuration offers."""
    return FileWriter(store._folder, "launch", "0", Options(**options), "", "")


class Gate:
    """A sync that waits until it is let through."""

    def __init__(self, monkeypatch) -> None:
        self.open = threading.Event()
        self.arrived = threading.Event()
        self.real = disk.sync
        monkeypatch.setattr(disk, "sync", self)

    def __call__(self, fd) -> None:
        self.arrived.set()
        assert self.open.wait(2 * SECONDS)
        self.real(fd)


class TestSegments:
    def test_a_segment_begins_by_saying_who_writes_it(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("k3f9a1", "42", executor="slurm", owner="8812345_42") as writer:
            writer.put(made())
        (path,) = segments(store)
        assert path.name == f"{writer.name}.jsonl"
        opening = lines_in(path)[0]
        assert list(opening) == [
            *("t", "format", "writer", "part", "prev_good", "launch", "task", "experiment"),
            *("host", "boot", "pid", "pid_start", "pid_ns", "executor", "owner"),
            *("metalab", "opened", "crc"),
        ]
        assert opening["writer"].startswith("k3f9a1.42.")
        assert (opening["executor"], opening["owner"]) == ("slurm", "8812345_42")
        assert (opening["pid"], opening["format"], opening["part"]) == (os.getpid(), 1, 1)
        assert opening["prev_good"] is None

    def test_a_segment_ends_with_the_number_of_its_lines(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            for n in range(3):
                writer.put(made(n))
        closing = lines_in(segments(store)[0])[-1]
        assert (closing["t"], closing["lines"], closing["part"]) == ("close", 4, 1)

    def test_a_full_segment_is_followed_by_the_next_part(self, tmp_path):
        store = store_at(tmp_path)
        with writer_at(store, interval=0.0, roll=2000) as writer:
            for n in range(30):
                writer.put(made(n))
                if n % 5 == 4:
                    writer.flush()
        paths = segments(store)
        assert len(paths) > 2
        assert all(kinds_in(path)[0] == "open" for path in paths)
        assert all(kinds_in(path)[-1] == "close" for path in paths)
        by_part = {lines_in(path)[0]["part"]: path for path in paths}
        for part, path in by_part.items():
            assert path.name == writer.name + ("" if part == 1 else f"-{part}") + ".jsonl"
            assert lines_in(path)[-1]["lines"] == len(lines_in(path)) - 1
        assert len(store.read()) == 30
        assert store.read().damage == ()

    def test_every_line_says_where_it_was_written_first(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            writer.put(made(0))
            writer.put_series(made(1), "s", [(0, 1)])
            writer.forget(run_id(2), 1)
            writer.put_derived(run_id(0), "f", {}, code="", of="")
        inner = lines_in(segments(store)[0])[1:-1]
        assert [(line["writer"], line["part"], line["seq"]) for line in inner] == [
            (writer.name, 1, seq) for seq in (1, 2, 3, 4)
        ]

    def test_every_put_is_one_write_and_no_file_is_opened_twice(self, tmp_path, monkeypatch):
        store = store_at(tmp_path, commit_interval=30)
        opened = []
        real = disk.create
        monkeypatch.setattr(disk, "create", lambda path: opened.append(path) or real(path))
        writes = Faulty(disk.write)
        syncs, directories = Faulty(disk.sync), Faulty(disk.sync_directory)
        monkeypatch.setattr(disk, "write", writes)
        with store.writer("w") as writer:
            writer.put(made(0))
            monkeypatch.setattr(disk, "sync", syncs)
            monkeypatch.setattr(disk, "sync_directory", directories)
            for n in range(1, 100):
                writer.put(made(n))
            assert writes.calls == 101  # the open line and one for each run
            assert syncs.calls == 0
            writer.flush()
            assert (syncs.calls, directories.calls) == (1, 1)
            writer.put(made(100))
            writer.flush()
            assert (syncs.calls, directories.calls) == (2, 1)
        assert opened == segments(store)


class TestAcknowledging:
    def test_a_run_is_readable_before_and_acknowledged_after_it_is_durable(
        self, tmp_path, monkeypatch
    ):
        store = store_at(tmp_path)
        acknowledged = threading.Event()
        with store.writer("w") as writer:
            gate = Gate(monkeypatch)
            gate.open.set()
            writer.put(made(9))
            writer.flush()
            gate.open.clear()
            gate.arrived.clear()
            writer.put(made(0), acknowledged.set)
            assert FileStoreConfig(tmp_path).open().scoped(EXPERIMENT).run_exists(run_id(0))
            assert gate.arrived.wait(SECONDS)
            assert not acknowledged.is_set()
            gate.open.set()
            assert acknowledged.wait(SECONDS)

    def test_what_is_put_while_a_commit_runs_waits_for_the_next(self, tmp_path, monkeypatch):
        store = store_at(tmp_path, commit_interval=0)
        first, second = threading.Event(), threading.Event()
        with store.writer("w") as writer:
            writer.put(made(9))
            writer.flush()
            gate = Gate(monkeypatch)
            writer.put(made(0), first.set)
            assert gate.arrived.wait(SECONDS)
            writer.put(made(1), second.set)
            gate.arrived.clear()
            real, gate.real = gate.real, lambda fd: (real(fd), gate.open.clear())
            gate.open.set()
            assert first.wait(SECONDS)
            assert gate.arrived.wait(SECONDS)
            assert not second.is_set()
            gate.open.set()
            assert second.wait(SECONDS)

    def test_acknowledgements_come_on_another_thread_without_a_flush(self, tmp_path):
        threads = []
        done = threading.Event()
        with store_at(tmp_path).writer("w") as writer:
            writer.put(made(), lambda: (threads.append(threading.current_thread()), done.set()))
            assert done.wait(SECONDS)
        assert threads != [threading.current_thread()]

    def test_they_come_in_the_order_of_the_puts(self, tmp_path):
        order = []
        with store_at(tmp_path, commit_interval=0).writer("w") as writer:
            for n in range(200):
                writer.put(made(n), lambda n=n: order.append(n))
        assert order == list(range(200))

    def test_one_that_fails_costs_no_other_its_turn(self, tmp_path, caplog):
        done = threading.Event()

        def fail() -> None:
            raise RuntimeError("not my day")

        with caplog.at_level(logging.ERROR), store_at(tmp_path).writer("w") as writer:
            writer.put(made(0), fail)
            writer.put(made(1), done.set)
            writer.flush()
        assert done.is_set()
        assert "not my day" in caplog.text

    def test_one_may_put_more(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            writer.put(made(0), lambda: writer.put(made(1)))
            writer.flush()
            writer.flush()
        assert len(store.read()) == 2

    def test_without_syncs_they_come_all_the_same(self, tmp_path, monkeypatch):
        store = store_at(tmp_path, durability="os")
        acknowledged = []
        with store.writer("w") as writer:
            writer.put(made(9))
            writer.flush()
            syncs = Faulty(disk.sync)
            monkeypatch.setattr(disk, "sync", syncs)
            writer.put(made(), lambda: acknowledged.append(1))
            writer.put_artifact(made(1), "a", b"bytes", extension="bin")
            writer.flush()
        assert acknowledged == [1]
        assert syncs.calls == 0

    def test_flushing_nothing_returns_at_once(self, tmp_path):
        writer = store_at(tmp_path).writer("w")
        writer.flush()
        writer.close()

    def test_an_idle_writer_s_thread_goes_and_comes_again(self, tmp_path, monkeypatch):
        monkeypatch.setattr("metalab.store.file.journal._LINGER", 0.01)
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            writer.put(made(0))
            assert wait_for(lambda: writer._journal._thread is None)
            writer.put(made(1))
            assert wait_for(lambda: writer._journal._thread is None)
            writer.flush()
        assert len(store.read()) == 2


class TestRunningRuns:
    def test_a_short_run_leaves_no_start_line(self, tmp_path):
        # Of an interval that this process cannot sleep through between a start and its end.
        store = store_at(tmp_path, commit_interval=600)
        with store.writer("w") as writer:
            for n in range(50):
                writer.start(run_id(n), partial(made, n, Status.RUNNING))
                writer.put(made(n))
        assert kinds_in(segments(store)[0]) == ["open", *["run"] * 50, "close"]

    def test_a_run_that_goes_on_shows_as_running_to_everybody(self, tmp_path):
        store = store_at(tmp_path, commit_interval=0.2)
        other = FileStoreConfig(tmp_path).open().scoped(EXPERIMENT)
        with store.writer("w") as writer:
            begun = time.monotonic()
            writer.start(run_id(0), partial(made, 0, Status.RUNNING))
            assert wait_for(lambda: other.run_exists(run_id(0)))
            assert time.monotonic() - begun > 0.1
            record = other.get_run_record(run_id(0))
            assert record == made(0, Status.RUNNING)
            writer.put(made(0))
        assert kinds_in(segments(store)[0]) == ["open", "start", "run", "close"]
        assert other.get_run_record(run_id(0)).status is Status.SUCCESS

    def test_each_of_several_runs_is_shown_when_its_time_has_come(self, tmp_path):
        store = store_at(tmp_path, commit_interval=0.05)
        with store.writer("w") as writer:
            for n in range(3):
                writer.start(run_id(n), partial(made, n, Status.RUNNING))
                time.sleep(0.03)
            assert wait_for(lambda: len(store.read()) == 3)
            for n in range(3):
                writer.put(made(n))
        assert kinds_in(segments(store)[0]).count("start") == 3

    def test_a_run_that_goes_on_is_shown_while_others_end_all_the_time(self, tmp_path):
        store = store_at(tmp_path, commit_interval=0.2)
        short = count(1)

        def is_shown() -> bool:
            writer.put(made(next(short)))
            return store.run_exists(run_id(0))

        with store.writer("w") as writer:
            writer.put(made(next(short)))
            writer.start(run_id(0), partial(made, 0, Status.RUNNING))
            assert wait_for(is_shown)
            assert store.get_run_record(run_id(0)).status is Status.RUNNING

    def test_a_start_that_cannot_be_written_is_logged_and_harms_nothing(self, tmp_path, caplog):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            unwritable = partial(made, 0, Status.RUNNING, params_resolved={"x": object()})
            writer.start(run_id(0), unwritable)
            assert wait_for(lambda: "params['x']" in caplog.text)
            writer.put(made(1))
        assert len(store.read()) == 1


class TestBackPressure:
    def test_putting_waits_while_too_much_is_not_durable(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        writer = writer_at(store, interval=0.01, buffer=4000)
        writer.put(made(99))
        writer.flush()
        gate = Gate(monkeypatch)
        done = threading.Event()

        def put_many() -> None:
            for n in range(30):
                writer.put(made(n))
            done.set()

        thread = threading.Thread(target=put_many)
        thread.start()
        assert gate.arrived.wait(SECONDS)
        assert not done.wait(0.3)
        gate.open.set()
        assert done.wait(2 * SECONDS)
        thread.join()
        writer.close()
        assert len(store.read()) == 31

    def test_a_line_larger_than_the_buffer_is_put_all_the_same(self, tmp_path):
        store = store_at(tmp_path)
        with writer_at(store, interval=0.01, buffer=1000) as writer:
            writer.put(made(0, metrics={"text": "x" * 5000}))
            writer.put(made(1))
        assert len(store.read()) == 2

    def test_putting_gives_up_waiting_when_the_disk_is_given_up(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        writer = writer_at(store, interval=0.01, buffer=2000, timeout=0.2)
        writer.put(made(99))
        writer.flush()
        monkeypatch.setattr(disk, "sync", Faulty(disk.sync, range(1, 10_000)))

        def put_many() -> None:
            for n in range(30):
                writer.put(made(n))

        with pytest.raises(StoreError, match="cannot be written to the store: Input/output error"):
            put_many()
        with pytest.raises(StoreError):
            writer.close()


class TestOwnWriter:
    def test_it_is_shared_by_all_that_the_store_itself_puts(self, tmp_path):
        store = store_at(tmp_path)
        for n in range(5):
            store.put_run_record(made(n))
            store.put_derived(run_id(n), "f", {"x": n})
        store.delete_run(run_id(0))
        assert len(segments(store)) == 1
        store.close()
        assert kinds_in(segments(store)[0])[-1] == "close"

    def test_a_store_that_is_dropped_ends_its_segment(self, tmp_path):
        store = store_at(tmp_path)
        store.put_run_record(made())
        (path,) = segments(store)
        del store
        assert kinds_in(path)[-1] == "close"

    def test_after_a_failure_nothing_is_tried_behind_the_caller_s_back(self, tmp_path, monkeypatch):
        store = store_at(tmp_path, store_timeout=0.1)
        store.put_run_record(made(0))
        real = disk.sync
        monkeypatch.setattr(disk, "sync", Faulty(real, range(1, 10_000)))
        with pytest.raises(StoreError):
            store.put_run_record(made(1))
        monkeypatch.setattr(disk, "sync", real)
        store.put_run_record(made(2))
        store.close()
        assert {run_id(0), run_id(2)} <= set(store.read())
