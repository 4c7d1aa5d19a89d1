"""What worker processes and their supervisor share: lanes, boards, channels, last words."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from metalab.events import Event, EventKind
from metalab.execution.process import host
from metalab.execution.process.board import AGAIN, RING, STATUSES, Board, code_of
from metalab.execution.process.channel import Channel
from metalab.execution.process.lane import Lane, tasks_in
from metalab.execution.process.tray import Tray
from metalab.execution.process.words import readable
from metalab.execution.task import Task
from metalab.execution.wire import from_wire, to_wire
from metalab.execution.worker import Ended
from metalab.records import RunRecord, Status

pytestmark = pytest.mark.skipif(not host.has_processes(), reason="worker processes need POSIX")


def tasks(count):
    return [Task(run=n, epoch=n % 3, attempt=1 + n % 5, launch=7) for n in range(count)]


class TestLane:
    def test_tasks_come_out_as_they_went_in(self):
        lane = Lane()
        lane.put(tasks(Lane.ROOM))
        lane.end()
        assert list(tasks_in(lane.descriptor, lambda: None)) == tasks(Lane.ROOM)
        lane.close()

    def test_it_is_told_once_before_each_wait(self):
        lane, told = Lane(), []

        def hungry():
            told.append(len(told))
            if len(told) == 3:
                lane.end()
            else:
                lane.put([Task(run=len(told))])

        assert [task.run for task in tasks_in(lane.descriptor, hungry)] == [1, 2]
        assert told == [0, 1, 2]
        lane.close()

    def test_each_task_has_one_taker_however_many_read(self):
        lane, taken = Lane(), [[] for _ in range(4)]
        given, stop = tasks(20_000), threading.Event()

        def work(mine):
            mine.extend(tasks_in(lane.descriptor, lambda: time.sleep(0)))

        workers = [threading.Thread(target=work, args=(mine,)) for mine in taken[1:]]
        for worker in workers:
            worker.start()
        for first in range(0, len(given), 500):
            lane.put(given[first : first + 500])
            taken[0].extend(lane.take_back())
        lane.end()
        for worker in workers:
            worker.join(60)
        assert not stop.is_set()
        assert sorted(task for mine in taken for task in mine) == sorted(given)
        lane.close()

    def test_what_is_taken_back_is_in_order_and_what_was_begun_is_not_in_it(self):
        lane = Lane()
        lane.put(tasks(10))
        reader = tasks_in(lane.descriptor, lambda: None)
        begun = [next(reader) for _ in range(3)]
        assert begun + lane.take_back() == tasks(10)
        assert lane.take_back() == []
        lane.close()


class TestBoard:
    @pytest.fixture
    def board(self):
        descriptor = host.anonymous_file("board")
        board = Board(descriptor)
        yield board
        board.close()
        os.close(descriptor)

    def test_it_counts_what_is_begun_and_what_has_ended(self, board):
        place = board.begin()
        assert (board.begun, board.ended, board.is_ready) == (1, 0, False)
        board.ready(place)
        assert board.is_ready
        board.end(place, code_of(Ended(Status.FAILED, again=True)))
        assert (board.begun, board.ended) == (1, 1)
        (code,) = board.codes(0, 1)
        assert STATUSES[code & ~AGAIN] is Status.FAILED
        assert code & AGAIN

    def test_a_place_is_not_durable_before_that_is_said_when_it_comes_round_again(self, board):
        for _ in range(RING):
            place = board.begin()
            board.end(place, code_of(Ended(Status.SUCCESS)))
            board.settle(place)
        assert board.durable(0, 1) == b"\1"
        assert board.durable(RING - 1, RING) == b"\1"
        place = board.begin()
        assert place == RING
        assert board.durable(RING - 2, RING + 1) == b"\1\1\0"
        board.end(place, code_of(Ended(Status.CANCELLED)))
        codes = [STATUSES[code] for code in board.codes(RING - 1, RING + 1)]
        assert codes == [Status.SUCCESS, Status.CANCELLED]

    def test_two_processes_see_the_same_board(self):
        descriptor = host.anonymous_file("board")
        board = Board(descriptor)
        script = (
            "import sys; from metalab.execution.process.board import Board\n"
            "b = Board(int(sys.argv[1])); p = b.begin(); b.ready(p); b.end(p, 1); b.settle(p)\n"
            "b.begin()"
        )
        subprocess.run(
            [sys.executable, "-c", script, str(descriptor)], pass_fds=[descriptor], check=True
        )
        assert (board.begun, board.ended, board.durable(0, 1)) == (2, 1, b"\1")
        assert 0 < board.since <= time.monotonic_ns()
        board.close()
        os.close(descriptor)


class TestTray:
    """Who fills it waits for what there is to do, and is not woken for less."""

    @pytest.fixture
    def tray(self):
        tray = Tray(2)
        tray.put(tasks(2))
        return tray

    @staticmethod
    def resting(tray, **how):
        resting = threading.Thread(target=tray.rest, args=(600.0,), kwargs=how, daemon=True)
        resting.start()
        while not tray._changed._waiters:
            time.sleep(0.001)
        return resting

    def test_more_is_wanted_than_there_is(self, tray):
        filling = self.resting(tray, nothing_comes=False)
        tray.ask_for(1, urgently=False)
        assert filling.is_alive()
        tray.ask_for(5, urgently=False)
        filling.join(60)
        assert not filling.is_alive()

    def test_what_nobody_can_make_ready_is_not_asked_for(self, tray):
        filling = self.resting(tray, nothing_comes=True)
        for wanted in range(3, 50):
            tray.ask_for(wanted, urgently=False)
        filling.join(0.05)
        assert filling.is_alive()
        tray.take(2)
        tray.count_out(2)
        filling.join(60)
        assert not filling.is_alive()

    def test_what_was_taken_is_not_wanted_again_before_it_is_asked_for(self, tray):
        # Another launch could begin what this one would claim meanwhile.
        tray.take(2)
        assert tray.is_full
        tray.ask_for(1, urgently=True)
        assert not tray.is_full


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
class TestChannel:
    def test_messages_and_files_arrive_whole_in_order(self, tmp_path):
        ours, theirs = Channel.pair()
        other = Channel(theirs)
        (tmp_path / "payload").write_text("content")
        big = "x" * 1_000_000
        got = []

        def receive():
            while (messages := other.receive()) is not None:
                got.extend(messages)

        reader = threading.Thread(target=receive)
        reader.start()
        with (tmp_path / "payload").open() as file:
            ours.send("launch", 1, {"size": 3}, file=file.fileno())
        ours.send("big", big)
        for n in range(100):
            ours.send("n", n)
        ours.close()
        reader.join(60)
        assert got[:2] == [["launch", 1, {"size": 3}], ["big", big]]
        assert got[2:] == [["n", n] for n in range(100)]
        with os.fdopen(other.take_file()) as file:
            assert file.read() == "content"
        other.close()

    def test_without_waiting_nothing_is_none(self):
        ours, theirs = Channel.pair()
        assert ours.receive(wait=False) is None
        Channel(theirs).send("here")
        assert ours.receive(wait=False) == [["here"]]
        theirs.close()
        ours.close()

    def test_sending_to_nobody_is_an_oserror(self):
        ours, theirs = Channel.pair()
        theirs.close()
        with pytest.raises(OSError, match=r"."):
            ours.send("hello")
        ours.close()


def record(status, **fields):
    return RunRecord._made(status, {"run_id": "ab" * 16, "experiment_id": "e:1", **fields})


class TestWire:
    @pytest.mark.parametrize(
        "event",
        [
            Event.log("ab" * 16, "message\n", level="info", logger="a.b"),
            Event.artifact_saved("ab" * 16, "model", kind="data", size_bytes=3, uri="x"),
            Event.progress(None, done=0.5),
        ],
    )
    def test_a_plain_event_comes_back(self, event):
        back = from_wire(to_wire(event))
        assert (back.kind, back.run_id, back.payload) == (event.kind, event.run_id, event.payload)
        assert abs((back.timestamp - event.timestamp).total_seconds()) < 1e-5

    def test_a_record_comes_back_exactly(self):
        done = record(Status.SUCCESS, metrics={"x": float("inf"), "n": 2**70}, tags=["a"])
        event = Event.run_finished(done.run_id, record=done, metrics=done.metrics)
        back = from_wire(to_wire(event))
        assert back.kind is EventKind.RUN_FINISHED
        assert back.payload["record"].metrics == back.payload["metrics"] == done.metrics
        assert back.payload["record"].tags == ["a"]

    def test_a_failure_tells_its_cause(self):
        lost = record(Status.FAILED, error={"type": "ValueError", "message": "no", "traceback": ""})
        event = Event.run_failed(lost.run_id, "ValueError: no", record=lost)
        assert from_wire(to_wire(event)).payload["error"] == "ValueError: no"


class TestHost:
    def test_a_process_ends_with_the_lifeline_though_it_never_gives_the_interpreter_back(self):
        script = """if True:
            import os, sys
            from metalab.execution.process.host import end_with
            end_with(int(sys.argv[1]))
            if os.fork() == 0:
                while True: pass
            print("ready", flush=True)
            3 ** (10 ** 9)
        """
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(reading)],
            pass_fds=[reading],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(reading)
        assert process.stdout.readline() == b"ready\n"
        os.close(writing)
        assert process.wait(60) == -9
        deadline = time.monotonic() + 60
        while _group_lives(process.pid):
            assert time.monotonic() < deadline, "its child has outlived it"
            time.sleep(0.01)
        process.stdout.close()

    def test_ends_are_told_by_name(self):
        assert host.described_end(3) == "exited with status 3"
        assert host.described_end(-11) == "was ended by SIGSEGV (a bad memory access)"
        assert host.described_end(-15) == "was ended by SIGTERM"
        assert host.described_end(-40) == "was ended by signal 40"

    def test_memory_is_limited_and_the_limit_lifted(self):
        script = """if True:
            from metalab.execution.process.host import limit_memory
            limit_memory(200 << 20)
            try:
                bytearray(400 << 20)
            except MemoryError:
                limit_memory(None)
                print(len(bytearray(400 << 20)))
        """
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
        assert int(done.stdout) == 400 << 20


def _group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


WORDS = """\
Fatal Python error: Segmentation fault

Thread 0x00007f01 (most recent call first):
  File "{python}/threading.py", line 331 in wait
  File "{here}/store/file/journal.py", line 235 in _wait
  File "{python}/threading.py", line 1002 in _bootstrap

Thread 0x00007f02 (most recent call first):
  File "/home/me/mine.py", line 3 in helper
  File "{python}/threading.py", line 1002 in _bootstrap

Current thread 0x00007f03 (most recent call first):
  File "{python}/ctypes/__init__.py", line 519 in string_at
  File "/home/me/script.py", line 6 in op
  File "{here}/execution/worker.py", line 204 in _call
  File "<frozen runpy>", line 88 in _run_code

Extension modules: msgspec._core (total: 1)
"""


def test_last_words_name_the_operation_s_frames_and_no_others():
    import metalab

    here, python = Path(metalab.__file__).parent, Path(threading.__file__).parent
    told = readable(WORDS.format(here=here, python=python))
    assert told.splitlines()[0] == "Fatal Python error: Segmentation fault"
    assert "mine.py" in told
    assert "line 6 in op" in told
    assert "string_at" in told
    for absent in ("journal.py", "worker.py", "runpy", "Extension modules"):
        assert absent not in told


def test_the_channel_is_a_local_socket():
    ours, theirs = Channel.pair()
    assert theirs.family == socket.AF_UNIX
    ours.close()
    theirs.close()
