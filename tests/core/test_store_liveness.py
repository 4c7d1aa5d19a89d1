"""Liveness: the dead are told from the living without a common clock."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import attrs
import pytest

import metalab
from metalab.store import FileStore, host
from metalab.store.claiming import Ending
from metalab.store.file import inquiry
from metalab.store.file.journal import Journal
from metalab.store.file.liveness import Liveness
from metalab.store.lines import line_of, parse_line
from process_tools import wait_until

needs_proc = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="processes are told by /proc, which is Linux's"
)
_WRITER = """
import sys, time
from metalab.store import FileStore
writer = FileStore(sys.argv[1]).scoped("exp:1").writer("launch")
writer.join("p" * 32)
print(writer.name, flush=True)
time.sleep(600)
"""


@attrs.define
class Clock:
    now: float = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path).scoped("exp:1")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(store, clock):
    asked = []

    def ask(executor, owner):
        asked.append((executor, owner))
        known = {"8": "gone", "9": "preempted", "10": "of a later version"}
        return Ending(known[owner]) if owner in known else owner == "6" or None

    liveness = Liveness(store.get_working_directory() / "runs", 30, ask, clock)
    liveness.asked = asked
    return liveness


def joined(store, **roles):
    writer = store.writer("launch", **roles)
    writer.attend()
    writer.join("p" * 32)
    return writer


def elsewhere(store, writer, **changes):
    """Let the writer's segment say that it was opened on another machine."""
    (path,) = store.get_working_directory().glob(f"runs/{writer.name}.jsonl")
    first, _, rest = path.read_bytes().partition(b"\n")
    document = {**parse_line(first), "host": "node17", "boot": "another", **changes}
    del document["crc"]
    stat = path.stat()
    path.write_bytes(line_of(document) + rest)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return path


def look(watch, clock, writer, times, *, every=30):
    """Look so many times; returns what was seen at each."""
    found = []
    for _ in range(times):
        found.append(watch.ending(writer.name))
        clock.now += every
    return found


class TestCertain:
    def test_a_writer_that_closed_is_over(self, store, watch):
        writer = joined(store)
        assert watch.ending(writer.name) is None
        writer.close()
        assert watch.ending(writer.name) == Ending("closed")

    def test_a_writer_whose_segment_is_gone_is_over(self, watch):
        assert watch.ending("compacted.0.vm.12345678") == Ending("closed")

    def test_a_later_part_counts_and_not_the_first_one_s_end(self, store, watch, monkeypatch):
        writer = joined(store)
        monkeypatch.setattr(writer._journal._backlog, "_roll", 1)
        writer.join("q" * 32)
        writer.join("r" * 32)
        assert len(list(store.get_working_directory().glob("runs/*.jsonl"))) == 2
        assert watch.ending(writer.name) is None
        writer.close()
        assert watch.ending(writer.name) == Ending("closed")

    def test_a_writer_whose_file_is_full_and_that_has_nothing_to_write_is_not_over(
        self, store, watch, monkeypatch
    ):
        writer = joined(store)
        monkeypatch.setattr(writer._journal._backlog, "_roll", 1)
        writer.join("q" * 32)
        assert writer._journal._backlog.is_retired
        assert len(list(store.get_working_directory().glob("runs/*.jsonl"))) == 1
        assert watch.ending(writer.name) is None
        writer.close()
        assert watch.ending(writer.name) == Ending("closed")
        assert store.inspect().flaws == ()

    @needs_proc
    @pytest.mark.parametrize("reap", [True, False], ids=["reaped", "zombie"])
    def test_a_killed_process_of_this_machine_is_dead_at_once(self, tmp_path, store, reap):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, tmp_path], stdout=subprocess.PIPE, text=True
        )
        name = process.stdout.readline().strip()
        assert store.ending(name) is None
        process.send_signal(signal.SIGSTOP)
        assert store.ending(name) is None
        process.kill()
        if reap:
            process.wait()
        wait_until(lambda: store.ending(name) is not None)
        assert store.ending(name) == Ending("killed")
        process.communicate()

    @needs_proc
    @pytest.mark.parametrize("name", [b"gr\xc3\xb6\xc3\x9fer", b"\xff) Z (", b"a\nb"])
    def test_a_process_may_have_any_name(self, tmp_path, name):
        program = tmp_path / os.fsdecode(name)
        shutil.copy("/bin/sleep", program)
        with subprocess.Popen([program, "600"]) as process:
            assert host.is_alive(process.pid)
            process.kill()
        assert not host.is_alive(process.pid)

    @needs_proc
    def test_a_pid_that_another_process_has_now_is_a_dead_writer_s(self, store, watch):
        writer = joined(store)
        elsewhere(store, writer, **{**host.process_identity(), "pid_start": 1})
        assert watch.ending(writer.name) == Ending("killed")

    @needs_proc
    def test_a_process_of_another_user_that_proc_hides_is_not_taken_for_dead(self, monkeypatch):
        monkeypatch.setattr(host, "_status_of", lambda _pid: None)

        def refuse(_pid, _signal):
            raise PermissionError

        monkeypatch.setattr(host.os, "kill", refuse)
        assert host.is_running(1, 7)

        def nobody(_pid, _signal):
            raise ProcessLookupError

        monkeypatch.setattr(host.os, "kill", nobody)
        assert not host.is_running(1, 7)
        assert not host.is_running(None, 7)

    @needs_proc
    def test_a_live_process_of_this_machine_is_never_silent(self, store, watch, clock):
        writer = joined(store)
        assert look(watch, clock, writer, 20) == [None] * 20

    def test_an_executor_that_knows_is_believed(self, store, watch):
        alive, gone = (joined(store, executor="slurm", owner=owner) for owner in ("7", "8"))
        elsewhere(store, alive)
        elsewhere(store, gone)
        assert watch.ending(alive.name) is None
        assert watch.ending(gone.name) == Ending("gone")
        assert watch.asked == [("slurm", "7"), ("slurm", "8")]

    @pytest.mark.parametrize(("owner", "cause"), [("9", "preempted"), ("10", "gone")])
    def test_what_an_executor_says_of_the_cause_is_passed_on(self, store, watch, owner, cause):
        writer = joined(store, executor="slurm", owner=owner)
        elsewhere(store, writer)
        ending = watch.ending(writer.name)
        assert ending == Ending(cause)
        assert ending.is_proved
        assert not ending.closed

    @needs_proc
    @pytest.mark.parametrize(("owner", "cause"), [("9", "preempted"), ("7", "killed")])
    def test_it_says_so_too_of_a_process_of_this_machine_that_is_gone(
        self, store, watch, owner, cause
    ):
        writer = joined(store, executor="slurm", owner=owner)
        elsewhere(store, writer, **{**host.process_identity(), "pid_start": 1})
        assert watch.ending(writer.name) == Ending(cause)

    @needs_proc
    def test_both_must_agree_that_it_is_gone(self, store, watch):
        writer = joined(store, executor="slurm", owner="6")
        elsewhere(store, writer, **{**host.process_identity(), "pid_start": 1})
        assert watch.ending(writer.name) is None

    def test_an_executor_is_asked_for_the_cause_of_what_is_not_alive(self, store, monkeypatch):
        class Cluster(metalab.ThreadExecutor):
            def alive(self, owner):
                return {"7": True, "8": False, "9": False}.get(owner)

            def ending(self, owner):
                return Ending("node_fail", "n1 failed") if owner == "9" else super().ending(owner)

        class Factory:
            @staticmethod
            def metalab_make_executor(name, options):
                return Cluster(1)

        monkeypatch.setattr(inquiry, "EXECUTORS", {"cluster": Factory})
        endings = []
        for owner in ("7", "8", "9", "10"):
            writer = joined(store, executor="cluster", owner=owner)
            elsewhere(store, writer)
            endings.append(store.ending(writer.name))
        assert endings == [None, Ending("gone"), Ending("node_fail", "n1 failed"), None]

    # The second cannot be made without a pool.
    @pytest.mark.parametrize("executor", ["nosuch", "futures"])
    def test_an_executor_that_is_not_there_to_be_asked_tells_nothing(self, store, executor):
        writer = joined(store, executor=executor, owner="8")
        elsewhere(store, writer)
        assert store.ending(writer.name) is None


class TestSilence:
    def test_a_writer_that_is_silent_at_six_looks_is_taken_for_dead(self, store, watch, clock):
        writer = joined(store)
        elsewhere(store, writer)
        assert look(watch, clock, writer, 6) == [None] * 5 + [Ending("silent")]

    def test_looks_that_follow_each_other_closely_count_once(self, store, watch, clock):
        writer = joined(store)
        elsewhere(store, writer)
        assert look(watch, clock, writer, 100, every=1) == [None] * 100

    def test_one_sign_of_life_begins_the_count_anew(self, store, watch, clock):
        writer = joined(store)
        path = elsewhere(store, writer)
        assert look(watch, clock, writer, 5) == [None] * 5
        os.utime(path, (time.time() + 30,) * 2)  # the clock of a file system may have long steps
        assert look(watch, clock, writer, 6) == [None] * 5 + [Ending("silent")]

    def test_an_observer_that_slept_begins_the_count_anew(self, store, watch, clock):
        writer = joined(store)
        elsewhere(store, writer)
        assert look(watch, clock, writer, 5) == [None] * 5
        clock.now += 3600
        assert look(watch, clock, writer, 6) == [None] * 5 + [Ending("silent")]

    @pytest.mark.parametrize("skew", [-365 * 86400, 3600], ids=["a year behind", "an hour ahead"])
    def test_the_writer_s_clock_does_not_matter(self, store, watch, clock, skew):
        writer = joined(store)
        path = elsewhere(store, writer)
        for beat in range(10):
            os.utime(path, (time.time() + skew + 30 * beat,) * 2)
            assert watch.ending(writer.name) is None
            clock.now += 30
        assert look(watch, clock, writer, 5)[-1] == Ending("silent")


class TestHeartbeat:
    def test_a_writer_with_claims_shows_that_it_lives_while_it_writes_nothing(
        self, store, monkeypatch
    ):
        writer = store.writer("launch")
        fast = attrs.evolve(writer._journal._options, heartbeat=0.05)
        monkeypatch.setattr(writer._journal, "_options", fast)
        writer.attend()
        writer.join("p" * 32)
        (path,) = store.get_working_directory().glob("runs/*.jsonl")
        size, before = path.stat().st_size, path.stat().st_mtime_ns
        wait_until(lambda: path.stat().st_mtime_ns != before)
        assert path.stat().st_mtime_ns > before
        assert path.stat().st_size == size
        writer.close()

    def test_a_run_that_begins_between_two_beats_is_shown_as_running(self, store, monkeypatch):
        writer = joined(store)
        spoken = []
        monkeypatch.setattr(Journal, "_say", lambda self, make: spoken.append(make))
        wait_until(lambda: writer._journal._idle)
        writer.start("f" * 32, lambda: None)
        wait_until(lambda: spoken, seconds=20)  # the next beat is later
        writer.close()
