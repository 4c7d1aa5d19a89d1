"""What was acknowledged survives a failing disk and meddling hands."""

from __future__ import annotations

import errno
import os
import random
import shutil
import time
from functools import partial

import pytest

from core.store_tools import EXPERIMENT, made, python, run_id, segments, store_at
from metalab.errors import StoreError
from metalab.store.file import disk
from metalab.testing.faults import Faulty, FullDisk, Short
from process_tools import wait_until


class TestAFailingDisk:
    @pytest.mark.parametrize("what", ["write", "sync", "create", "sync_directory", "is_ours"])
    @pytest.mark.parametrize("chance", range(3))
    def test_nothing_acknowledged_is_lost_and_all_is_acknowledged_at_last(
        self, tmp_path, monkeypatch, what, chance
    ):
        store = store_at(tmp_path, commit_interval=0.002)
        fail = random.Random(chance).sample(range(1, 12), 4)
        monkeypatch.setattr(disk, what, Faulty(getattr(disk, what), fail))
        acknowledged = []
        with store.writer("w") as writer:
            for n in range(60):
                writer.put(made(n), lambda n=n: acknowledged.append(n))
                time.sleep(0.001)
        monkeypatch.undo()
        assert acknowledged == list(range(60))
        log = store.read()
        assert sorted(log) == [run_id(n) for n in range(60)]
        assert log.damage == ()

    @pytest.mark.parametrize("what", ["write", "sync", "create", "sync_directory"])
    @pytest.mark.parametrize("number", [errno.EIO, errno.EDQUOT, errno.ESTALE, errno.ENOSPC])
    def test_each_of_the_first_calls_may_fail(self, tmp_path, monkeypatch, what, number):
        for call in range(1, 7):
            store = store_at(tmp_path / str(call), commit_interval=30)
            store.make()
            acknowledged: list[int] = []
            with store.writer("w") as writer, monkeypatch.context() as patched:
                (store.get_working_directory() / "runs").mkdir(parents=True)
                faulty = Faulty(getattr(disk, what), [call], number)
                patched.setattr(disk, what, faulty)
                for n in range(9):
                    writer.put(made(n), partial(acknowledged.append, n))
                    if n % 3 == 2:
                        writer.flush()
            assert acknowledged == list(range(9)), call
            assert sorted(store.read()) == [run_id(n) for n in range(9)], call
            assert store.read().damage == (), call

    @pytest.mark.parametrize("calls", [[1], [2], [5], [2, 3, 4], [3, 6, 9, 12]])
    def test_half_a_line_is_left_behind_and_the_line_written_again(
        self, tmp_path, monkeypatch, calls
    ):
        store = store_at(tmp_path)
        monkeypatch.setattr(disk, "write", Short(disk.write, calls))
        with store.writer("w") as writer:
            for n in range(20):
                writer.put(made(n))
        monkeypatch.undo()
        log = store.read()
        assert len(log) == 20
        assert log.damage == ()

    def test_the_next_part_says_up_to_where_the_last_is_good(self, tmp_path, monkeypatch):
        store = store_at(tmp_path, commit_interval=600)  # nothing is synced but by a flush
        with store.writer("w") as writer:
            writer.put(made(0))
            writer.flush()
            good = segments(store)[0].stat().st_size
            writer.put(made(1))
            monkeypatch.setattr(disk, "sync", Faulty(disk.sync, [1]))
            writer.flush()
        second = next(path for path in segments(store) if path.name.endswith("-2.jsonl"))
        assert f'"part":2,"prev_good":{good},'.encode() in second.read_bytes()
        first = segments(store)[1]
        assert run_id(1).encode() in first.read_bytes()[good:]  # left as it was, never cut back
        assert len(store.read().attempts(run_id(1))) == 1

    def test_a_disk_that_stays_broken_is_an_error_after_a_while_and_nothing_is_dropped(
        self, tmp_path, monkeypatch
    ):
        store = store_at(tmp_path, store_timeout=0.3)
        acknowledged = []
        writer = store.writer("w")
        writer.put(made(9))
        writer.flush()
        real = disk.sync
        monkeypatch.setattr(disk, "sync", Faulty(real, range(1, 10_000), errno.ENOSPC))
        begun = time.monotonic()  # before the first failure, from which it is counted
        writer.put(made(0), lambda: acknowledged.append(0))
        with pytest.raises(
            StoreError,
            match=r"1 lines cannot be written to the store: No space left.* free some space",
        ):
            writer.flush()
        assert 0.3 <= time.monotonic() - begun < 60  # and not the default of minutes
        with pytest.raises(StoreError, match="No space left"):
            writer.put(made(1), lambda: acknowledged.append(1))
        assert acknowledged == []
        monkeypatch.setattr(disk, "sync", real)
        wait_until(lambda: acknowledged == [0, 1])
        writer.put(made(2))
        writer.close()
        assert len(store.read()) == 4

    def test_failed_openings_leave_no_litter(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        monkeypatch.setattr(disk, "write", Faulty(disk.write, range(1, 5), errno.ENOSPC))
        with store.writer("w") as writer:
            writer.put(made(0))
        monkeypatch.undo()
        assert [path.name for path in segments(store)] == [f"{writer.name}.jsonl"]

    def test_a_name_that_is_taken_is_passed_over(self, tmp_path):
        store = store_at(tmp_path)
        writer = store.writer("w")
        runs = store.get_working_directory() / "runs"
        runs.mkdir(parents=True)
        taken = runs / f"{writer.name}.jsonl"
        taken.write_bytes(b"another's")
        writer.put(made(0))
        writer.close()
        assert taken.read_bytes() == b"another's"
        assert len(store.read()) == 1

    def test_the_last_line_alone_may_fail(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        writer = store.writer("w")
        writer.put(made(0))
        writer.flush()
        monkeypatch.setattr(disk, "write", Faulty(disk.write, [1]))
        writer.close()
        assert len(store.read()) == 1

    def test_a_limit_on_file_sizes_only_makes_more_files(self, tmp_path):
        script = f"""if True:
            import resource, sys
            from core.store_tools import made, store_at
            store = store_at({str(tmp_path)!r})
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
            acknowledged = []
            with store.writer("w") as writer:
                for n in range(200):
                    writer.put(made(n), lambda n=n: acknowledged.append(n))
            assert acknowledged == list(range(200)), acknowledged
            resource.setrlimit(resource.RLIMIT_FSIZE, before)  # for who measures coverage
        """
        assert python(script).wait(120) == 0
        store = store_at(tmp_path)
        assert len(store.read()) == 200
        assert store.read().damage == ()
        assert len(segments(store)) > 3

    def test_a_full_disk_that_is_freed_again_has_lost_nothing(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        full = FullDisk(disk.write, 20_000)
        monkeypatch.setattr(disk, "write", full)
        acknowledged = []
        writer = store.writer("w")
        for n in range(150):
            writer.put(made(n), lambda n=n: acknowledged.append(n))
        wait_until(lambda: acknowledged)
        assert len(acknowledged) < 150
        full.left = 1 << 30
        writer.close()
        assert acknowledged == list(range(150))
        assert len(store.read()) == 150
        assert store.read().damage == ()


class TestMeddling:
    @pytest.mark.parametrize(
        "how", ["removed", "replaced", "renamed", "cut", "folder removed", "store renamed"]
    )
    def test_lines_whose_file_is_not_ours_any_more_are_written_again(self, tmp_path, how):
        store = store_at(tmp_path / "store", commit_interval=30)
        acknowledged = []
        with store.writer("w") as writer:
            writer.put(made(0), lambda: acknowledged.append(0))
            (path,) = segments(store)
            if how == "removed":
                path.unlink()
            elif how == "replaced":
                path.unlink()
                path.write_bytes(b"mine\n")
            elif how == "renamed":
                path.rename(path.with_name("mine.jsonl"))
            elif how == "store renamed":
                store.root.rename(tmp_path / "renamed")
            elif how == "cut":
                os.truncate(path, 10)
            else:
                shutil.rmtree(store.get_working_directory())
            writer.flush()
            assert acknowledged == [0]
            writer.put(made(1))
        assert sorted(store.read()) == [run_id(0), run_id(1)]
        assert store.list_experiments() == [EXPERIMENT]
