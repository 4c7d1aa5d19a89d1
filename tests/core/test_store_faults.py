"""What was acknowledged survives a failing disk, a killed process, a fork and meddling hands."""

from __future__ import annotations

import errno
import importlib
import os
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from core.store_tools import EXPERIMENT, Faulty, made, run_id, segments, store_at
from metalab.errors import StoreError
from metalab.records import ArtifactDescriptor
from metalab.store import FileStoreConfig
from metalab.store.file import disk, host
from metalab.store.file.options import Options
from metalab.store.file.writer import FileWriter, _renew_all

TESTS = str(Path(__file__).parent.parent)


def python(script: str, *arguments: str, **options) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": TESTS}
    return subprocess.Popen([sys.executable, "-c", script, *arguments], env=environment, **options)


class Short:
    """A write that at some calls takes only a part of what it is given."""

    def __init__(self, calls) -> None:
        self.calls = 0
        self.at = set(calls)
        self.real = disk.write

    def __call__(self, fd, data) -> int:
        self.calls += 1
        return self.real(fd, data[: len(data) // 2] if self.calls in self.at else data)


class FullDisk:
    """A disk that takes so many bytes: the last write in part, then none."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.real = disk.write

    def __call__(self, fd, data) -> int:
        if self.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self.real(fd, data[: self.left])
        self.left -= taken
        return taken


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

    @pytest.mark.parametrize("calls", [[1], [2], [5], [2, 3, 4], [3, 6, 9, 12]])
    def test_half_a_line_is_left_behind_and_the_line_written_again(
        self, tmp_path, monkeypatch, calls
    ):
        store = store_at(tmp_path)
        monkeypatch.setattr(disk, "write", Short(calls))
        with store.writer("w") as writer:
            for n in range(20):
                writer.put(made(n))
        monkeypatch.undo()
        log = store.read()
        assert len(log) == 20
        assert log.damage == ()

    def test_the_next_part_says_up_to_where_the_last_is_good(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
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
        writer.put(made(0), lambda: acknowledged.append(0))
        begun = time.monotonic()
        with pytest.raises(
            StoreError,
            match=r"1 lines cannot be written to the store: No space left.* free some space",
        ):
            writer.flush()
        assert 0.2 < time.monotonic() - begun < 5
        with pytest.raises(StoreError, match="No space left"):
            writer.put(made(1), lambda: acknowledged.append(1))
        assert acknowledged == []
        monkeypatch.setattr(disk, "sync", real)
        deadline = time.monotonic() + 20
        while acknowledged != [0, 1] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert acknowledged == [0, 1]
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
        assert python(script).wait(60) == 0
        store = store_at(tmp_path)
        assert len(store.read()) == 200
        assert store.read().damage == ()
        assert len(segments(store)) > 3

    def test_a_full_disk_that_is_freed_again_has_lost_nothing(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        full = FullDisk(20_000)
        monkeypatch.setattr(disk, "write", full)
        acknowledged = []
        writer = store.writer("w")
        for n in range(150):
            writer.put(made(n), lambda n=n: acknowledged.append(n))
        time.sleep(0.3)
        assert 0 < len(acknowledged) < 150
        full.left = 1 << 30
        writer.close()
        assert acknowledged == list(range(150))
        assert len(store.read()) == 150
        assert store.read().damage == ()


class TestMeddling:
    @pytest.mark.parametrize("how", ["removed", "replaced", "cut", "folder removed"])
    def test_lines_whose_file_is_not_ours_any_more_are_written_again(self, tmp_path, how):
        store = store_at(tmp_path, commit_interval=30)
        acknowledged = []
        with store.writer("w") as writer:
            writer.put(made(0), lambda: acknowledged.append(0))
            (path,) = segments(store)
            if how == "removed":
                path.unlink()
            elif how == "replaced":
                path.unlink()
                path.write_bytes(b"mine\n")
            elif how == "cut":
                os.truncate(path, 10)
            else:
                import shutil

                shutil.rmtree(store.get_working_directory())
            writer.flush()
            assert acknowledged == [0]
            writer.put(made(1))
        assert sorted(store.read()) == [run_id(0), run_id(1)]
        assert store.list_experiments() == [EXPERIMENT]


class TestKilledProcesses:
    def test_what_was_acknowledged_survives_a_kill_at_any_moment(self, tmp_path):
        script = f"""if True:
            import os
            from core.store_tools import made, store_at
            store = store_at({str(tmp_path)!r})
            writer = store.writer("w")
            first = int(os.environ["FIRST"])
            os.write(1, b"go\\n")
            for n in range(first, first + 100_000):
                writer.put(made(n), lambda n=n: os.write(1, b"%d\\n" % n))
        """
        acknowledged = set()
        chance = random.Random(11)
        for number in range(10):
            os.environ["FIRST"] = str(number * 100_000)
            process = python(script, stdout=subprocess.PIPE)
            assert process.stdout.readline() == b"go\n"
            time.sleep(0.02 + 0.1 * chance.random())
            process.send_signal(signal.SIGKILL)
            said = process.stdout.read().split(b"\n")
            acknowledged.update(int(each) for each in said[:-1])
            process.wait()
            process.stdout.close()
        del os.environ["FIRST"]
        assert acknowledged
        log = store_at(tmp_path).read()
        assert {run_id(n) for n in acknowledged} <= set(log)
        assert log.damage == ()

    def test_what_was_put_survives_a_kill_before_it_is_acknowledged(self, tmp_path):
        script = f"""if True:
            import os, signal
            from core.store_tools import made, store_at
            writer = store_at({str(tmp_path)!r}, commit_interval=30).writer("w")
            for n in range(100):
                writer.put(made(n))
            os.kill(os.getpid(), signal.SIGKILL)
        """
        assert python(script).wait(30) == -signal.SIGKILL
        assert len(store_at(tmp_path).read()) == 100

    def test_a_process_that_forgets_to_close_loses_nothing(self, tmp_path):
        script = f"""if True:
            from core.store_tools import made, store_at
            store_at({str(tmp_path)!r}, commit_interval=30).writer("w").put(made(0))
        """
        assert python(script).wait(30) == 0
        assert len(store_at(tmp_path).read()) == 1

    def test_processes_that_write_the_same_runs_leave_one_record_each(self, tmp_path):
        script = f"""if True:
            import os
            from core.store_tools import made, store_at
            with store_at({str(tmp_path)!r}).writer("w") as writer:
                for n in range(200):
                    writer.put(made(n, metrics={{"pid": os.getpid()}}))
        """
        processes = [python(script) for _ in range(3)]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        store = store_at(tmp_path)
        assert len(segments(store)) == 3
        assert len(store.list_run_records()) == 200
        assert len({record.metrics["pid"] for record in store.list_run_records()}) == 1


class TestForks:
    def test_a_forked_child_writes_to_files_of_its_own(self, tmp_path):
        store = store_at(tmp_path, commit_interval=30)
        acknowledged = []
        with store.writer("w") as writer:
            writer.put(made(0), lambda: acknowledged.append("parent"))
            writer.append_log(made(0), "parent")
            writer.put_artifact(made(0), "a", b"parent", extension="bin")
            name = writer.name
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads
                pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    writer.put(made(1), lambda: acknowledged.append("child"))
                    writer.append_log(made(1), "child")
                    writer.put_artifact(made(1), "a", b"child", extension="bin")
                    writer.flush()
                    renamed = writer.name != name
                    writer.close()
                    status = 0 if renamed and acknowledged == ["child"] else 2
                finally:
                    os._exit(status)
            assert os.waitpid(pid, 0)[1] == 0
            assert writer.name == name
        assert acknowledged == ["parent"]
        assert sorted(store.read()) == [run_id(0), run_id(1)]
        assert store.read().damage == ()
        assert store.get_log(run_id(1)) == "child\n"
        assert len(segments(store)) == 2

    def test_what_a_child_does_at_its_birth_leaves_the_files_behind_as_they_are(self, tmp_path):
        """Without a fork, so that the lines are seen to run."""
        store = store_at(tmp_path)
        writer = store.writer("w")
        for number in range(2):
            writer.put(made(number))
            writer.append_log(made(number), "text")
            writer.put_artifact(made(number), "a", b"x", extension="bin")
            writer.flush()
            before = {path: path.read_bytes() for path in segments(store)}
            _renew_all()
            assert {path: path.read_bytes() for path in segments(store)} == before
        writer.close()
        assert len(segments(store)) == 2
        assert len(store.read()) == 2

    def test_a_fork_while_every_lock_is_held_does_not_hang_the_child(self, tmp_path):
        store = store_at(tmp_path)
        with store.writer("w") as writer:
            writer.put(made(0))
            writer.append_log(made(0), "text")
            writer.put_artifact(made(0), "a", b"x", extension="bin")
            writer.flush()
            with writer._journal._lock, writer._log._lock, writer._pack._changed:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    pid = os.fork()
                if pid == 0:
                    signal.alarm(20)
                    writer.append_log(made(1), "text")
                    writer.put_artifact(made(1), "a", b"x", extension="bin")
                    writer.put(made(1))
                    writer.close()
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
        assert len(store.read()) == 2

    def test_a_fork_while_another_thread_writes_does_not_hang_the_child(self, tmp_path):
        store = store_at(tmp_path)
        stop = threading.Event()
        with store.writer("w") as writer:

            def work() -> None:
                n = 1000
                while not stop.is_set():
                    writer.put(made(n))
                    n += 1

            thread = threading.Thread(target=work)
            thread.start()
            try:
                for number in range(5):
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", DeprecationWarning)
                        pid = os.fork()
                    if pid == 0:
                        signal.alarm(20)
                        writer.put(made(number))
                        writer.close()
                        os._exit(0)
                    assert os.waitpid(pid, 0)[1] == 0
            finally:
                stop.set()
                thread.join()
        assert {run_id(n) for n in range(5)} <= set(store.read())


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
            monkeypatch.setattr(disk, "write", Short([1]))
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


class TestPlatforms:
    """Each call that a platform may lack is taken away in turn."""

    @pytest.fixture(autouse=True)
    def restored(self):
        yield
        importlib.reload(disk)

    def works(self, tmp_path) -> None:
        store = store_at(tmp_path)
        store.put_manifest({"a": 1})
        with store.writer("w") as writer:
            writer.append_log(made(), "text")
            uri, _, _ = writer.put_artifact(made(), "a", b"x" * 300_000, extension="bin")
            writer.put(made())
        assert store.list_run_records() == [made()]
        with store.open_artifact(uri) as file:
            assert file.read() == b"x" * 300_000

    @pytest.mark.parametrize("name", ["fdatasync", "O_CLOEXEC", "link", "register_at_fork"])
    def test_a_platform_without_it(self, tmp_path, monkeypatch, name):
        monkeypatch.delattr(os, name)
        importlib.reload(disk)
        disk.after_fork(print)
        self.works(tmp_path)

    def test_a_platform_without_fcntl(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "fcntl", None)
        importlib.reload(disk)
        assert disk.fcntl is None
        self.works(tmp_path)

    def test_a_platform_whose_directories_cannot_be_synced(self, tmp_path, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setattr(disk.os, "name", "nt")
            disk.sync_directory(tmp_path / "does not even exist")

    def test_a_mac_s_drive_is_told_to_empty_its_cache(self, tmp_path, monkeypatch):
        told = []
        monkeypatch.setattr(disk.sys, "platform", "darwin")
        monkeypatch.setattr(disk.fcntl, "F_FULLFSYNC", 51, raising=False)
        monkeypatch.setattr(disk.fcntl, "fcntl", lambda fd, what: told.append(what))
        self.works(tmp_path)
        assert set(told) == {51}

    def test_a_platform_without_proc_knows_less_of_itself(self, monkeypatch):
        monkeypatch.setattr(host, "_PROC", host._PROC / "nowhere")
        identity = host.process_identity()
        assert identity["pid"] == os.getpid()
        assert (identity["boot"], identity["pid_start"], identity["pid_ns"]) == (None, None, None)

    def test_an_uninstalled_metalab_says_so(self, monkeypatch):
        def version(_):
            raise host.PackageNotFoundError

        monkeypatch.setattr(host, "version", version)
        host.metalab_version.cache_clear()
        try:
            assert host.metalab_version() == "0+source"
        finally:
            host.metalab_version.cache_clear()

    def test_a_process_is_told_from_another_of_the_same_number(self):
        identity = host.process_identity()
        assert re.fullmatch("[0-9a-f-]{36}", identity["boot"])
        assert identity["pid_start"] > 0
        assert identity["pid_ns"].startswith("pid:[")
        assert resource.getpagesize() > 0


class TestRenames:
    def test_a_rename_that_was_done_twice_is_accepted(self, tmp_path, monkeypatch):
        """A network file system may answer a replayed rename with "no such file"."""
        target = tmp_path / "x"

        def done_before(self, path):
            self.rename(path)
            raise FileNotFoundError(errno.ENOENT, "no such file", str(self))

        monkeypatch.setattr("pathlib.Path.replace", done_before)
        with disk.temporary(tmp_path) as (file, written):
            file.write(b"abc")
            disk.replace(file, written, target, 3)
        assert target.read_bytes() == b"abc"
        with disk.temporary(tmp_path) as (file, written):
            file.write(b"abc")
            with pytest.raises(FileNotFoundError):
                disk.replace(file, written, tmp_path / "y", 4)


def test_a_configuration_sets_the_limits(tmp_path):
    config = FileStoreConfig(tmp_path, commit_interval=1, durability="os", store_timeout=2)
    assert config.options == Options(1, durable=False, timeout=2)
    assert isinstance(config.connect().scoped(EXPERIMENT).writer("w"), FileWriter)
