"""Following a store that others write, copy and tidy: nothing raises, nothing is given up."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from itertools import pairwise
from pathlib import Path
from threading import get_ident

import pytest
from hypothesis import given, settings, strategies as st

from core.store_tools import made, run_id, segments, store_at
from metalab.errors import StoreError
from metalab.store.document import record_line
from metalab.store.file import disk
from metalab.store.file.reader import read_runs
from metalab.store.lines import Stamp, line_of
from process_tools import wait_until

NAME = "w.0.host.01234567"
OPEN = line_of({"t": "open", "format": 1, "writer": NAME, "part": 1})


def lines_of(*numbers: int, writer: str = NAME) -> list[bytes]:
    return [record_line(made(n), Stamp(writer, 1, n, "w")) for n in numbers]


def close_line(writer: str) -> bytes:
    return line_of({"t": "close", "writer": writer, "part": 1, "lines": 1})


def ids(*numbers: int) -> list[str]:
    return [run_id(n) for n in numbers]


@pytest.fixture
def runs(tmp_path) -> Path:
    """The folder of the segments of a store that is empty yet."""
    folder = store_at(tmp_path / "store").get_working_directory() / "runs"
    folder.mkdir(parents=True)
    return folder


class _Audit:
    """Counts what this thread opens and lists while it is on; a hook can never be removed."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.thread: int | None = None
        sys.addaudithook(self._note)

    def _note(self, event: str, _: tuple[object, ...]) -> None:
        if self.thread == get_ident() and event in {"open", "os.scandir", "os.listdir"}:
            self.events.append(event)

    def __enter__(self) -> list[str]:
        self.events.clear()
        self.thread = get_ident()
        return self.events

    def __exit__(self, *_: object) -> None:
        self.thread = None


audit = _Audit()


class TestPolling:
    def test_an_idle_poll_of_many_finished_segments_is_one_listing(self, runs):
        for n in range(10_000):
            name = f"w.{n}.host.01234567"
            (runs / f"{name}.jsonl").write_bytes(lines_of(n, writer=name)[0] + close_line(name))
        log = read_runs(runs)
        assert len(log) == 10_000
        with audit as events:
            assert read_runs(runs, log, final=False) is log
        assert events == ["os.scandir"]

    def test_a_poll_opens_only_the_segments_that_may_grow(self, runs):
        for n in range(20):
            name = f"w.{n}.host.01234567"
            (runs / f"{name}.jsonl").write_bytes(lines_of(n, writer=name)[0] + close_line(name))
        (runs / f"{NAME}.jsonl").write_bytes(OPEN + lines_of(50)[0])
        log = read_runs(runs)
        with audit as events:
            assert read_runs(runs, log, final=False) is log
        assert events == ["os.scandir", "open"]

    def test_a_name_that_one_listing_lacks_costs_nothing(self, runs, monkeypatch):
        (runs / f"{NAME}.jsonl").write_bytes(OPEN + lines_of(0)[0] + close_line(NAME))
        (runs / "other.jsonl").write_bytes(lines_of(1)[0])
        log = read_runs(runs)
        monkeypatch.setattr(disk, "names", lambda _: [])
        assert read_runs(runs, log, final=False) is log

    def test_a_name_that_leads_nowhere_is_reported_and_waited_for(self, runs):
        (runs / "dangling.jsonl").symlink_to(runs / "nowhere")
        (runs / f"{NAME}.jsonl").write_bytes(OPEN + lines_of(0)[0])
        log = read_runs(runs)
        assert list(log) == ids(0)
        (damage,) = log.damage
        assert damage.place == str(runs / "dangling.jsonl")
        assert read_runs(runs, log, final=False) is log
        (runs / "nowhere").write_bytes(lines_of(1)[0])
        log = read_runs(runs, log, final=False)
        assert sorted(log) == ids(0, 1)
        assert log.damage == ()


class TestFilesThatVanish:
    """Compaction replaces segments by one that holds the same lines."""

    @pytest.fixture
    def compacting(self, runs, monkeypatch):
        """Two segments that become another one right after they were listed."""
        (runs / "a.jsonl").write_bytes(b"".join(lines_of(0, 1)))
        (runs / "b.jsonl").write_bytes(b"".join(lines_of(2)))
        real = disk.names

        def names(folder):
            listed = real(folder)
            if (runs / "a.jsonl").exists():
                content = [(runs / name).read_bytes() for name in ("a.jsonl", "b.jsonl")]
                (runs / "compact.jsonl").write_bytes(b"".join(content))
                (runs / "a.jsonl").unlink()
                (runs / "b.jsonl").unlink()
            return listed

        return lambda: monkeypatch.setattr(disk, "names", names)

    def test_a_first_read_lists_again(self, runs, compacting):
        compacting()
        assert sorted(read_runs(runs)) == ids(0, 1, 2)

    def test_a_later_read_lists_again(self, runs, compacting):
        log = read_runs(runs)
        compacting()
        log = read_runs(runs, log, final=False)
        assert sorted(log) == ids(0, 1, 2)
        assert len(list(log.lines())) == 3

    @pytest.mark.parametrize("call", ["size_of", "blocks", "read_last"])
    def test_a_server_that_forgot_a_file_is_asked_again(self, runs, monkeypatch, call):
        path = runs / f"{NAME}.jsonl"
        path.write_bytes(OPEN + lines_of(0)[0])
        log = read_runs(runs)
        path.write_bytes(OPEN + lines_of(0)[0] + b"x\n" + lines_of(1)[0])
        real, calls = getattr(disk, call), []

        def stale(*args):
            calls.append(args)
            if len(calls) == 1:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
            return real(*args)

        monkeypatch.setattr(disk, call, stale)
        log = read_runs(runs, log, final=False)
        assert calls
        assert sorted(read_runs(runs, log, final=False)) == ids(0, 1)

    def test_damage_in_a_file_that_vanished_has_a_place(self, runs, monkeypatch):
        (runs / "a.jsonl").write_bytes(lines_of(0)[0] + b"x\n" + lines_of(1)[0])

        def gone(path, offsets):
            raise FileNotFoundError(errno.ENOENT, "gone", str(path))

        monkeypatch.setattr(disk, "line_numbers", gone)
        (damage,) = read_runs(runs).damage
        assert damage.place.startswith(f"{runs / 'a.jsonl'}:byte ")

    def test_a_line_on_a_server_that_forgot_its_file_is_an_error_in_words(self, runs, monkeypatch):
        (runs / "a.jsonl").write_bytes(lines_of(0)[0])
        log = read_runs(runs)

        def stale(path, spans):
            raise OSError(errno.ESTALE, "stale", str(path))
            yield b""

        monkeypatch.setattr(disk, "pieces", stale)
        with pytest.raises(StoreError, match="removed while it was in use; read the store again"):
            list(log.lines())

    def test_a_line_that_cannot_be_read_is_an_error_in_words(self, runs, monkeypatch):
        (runs / "a.jsonl").write_bytes(lines_of(0)[0])
        log = read_runs(runs)

        def broken(path, spans):
            raise OSError(errno.EIO, "Input/output error", str(path))
            yield b""

        monkeypatch.setattr(disk, "pieces", broken)
        with pytest.raises(StoreError, match=r"a\.jsonl cannot be read: Input/output error"):
            list(log.lines())


LINES = OPEN + b"".join(lines_of(*range(6)))
CONTENT = LINES + close_line(NAME)


class TestArrival:
    @given(
        cuts=st.lists(st.integers(1, len(LINES) - 1), max_size=8, unique=True),
        chance=st.randoms(use_true_random=False),
    )
    @settings(max_examples=60, deadline=None)
    def test_blocks_may_arrive_in_any_order_and_what_is_missing_is_zeros(self, cuts, chance):
        blocks = list(pairwise([0, *sorted(cuts), len(LINES)]))
        chance.shuffle(blocks)
        blocks.append((len(LINES), len(CONTENT)))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{NAME}.jsonl"
            path.touch()
            log = None
            for start, end in blocks:
                with path.open("r+b") as file:
                    file.seek(start)
                    file.write(CONTENT[start:end])
                before = set() if log is None else set(log)
                log = read_runs(Path(folder), log, final=False)
                assert before <= set(log)
            assert sorted(log) == ids(*range(6))
            assert log.damage == ()

    def test_a_copy_that_grows_byte_by_byte_never_has_damage(self, runs):
        path = runs / f"{NAME}.jsonl"
        log, met = None, 0
        for size in range(0, len(CONTENT) + 1, 7):
            path.write_bytes(CONTENT[:size])
            log = read_runs(runs, log, final=False)
            assert log.damage == ()
            assert len(log) >= met
            met = len(log)
        path.write_bytes(CONTENT)
        assert sorted(read_runs(runs, log, final=False)) == ids(*range(6))

    def test_a_copy_that_is_begun_anew_is_read_anew(self, runs):
        path = runs / f"{NAME}.jsonl"
        path.write_bytes(CONTENT)
        other = runs / "other.jsonl"
        other.write_bytes(b"".join(lines_of(7, 8)))
        log = read_runs(runs)
        other.write_bytes(b"".join(lines_of(7, 8))[:-50])
        log = read_runs(runs, log, final=False)
        assert sorted(log) == ids(*range(6), 7)
        other.write_bytes(b"".join(lines_of(7, 8)))
        assert sorted(read_runs(runs, log, final=False)) == ids(*range(6), 7, 8)


WRITER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from core.store_tools import made, store_at

    store = store_at(Path(sys.argv[2]))
    writer = store.writer("launch")
    for n in range(100_000):
        writer.put(made(n), lambda n=n: print(n, flush=True))
        time.sleep(0.002)
""")


class TestRealWriters:
    @pytest.fixture
    def writing(self, tmp_path):
        """A process that writes runs, and says which are acknowledged; and its store."""
        place = tmp_path / "store"
        tests = str(Path(__file__).parent.parent)
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, tests, str(place)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline()
        yield process, store_at(place)
        process.kill()
        process.wait()
        process.stdout.close()

    def test_a_writer_that_is_stopped_is_waited_for(self, writing):
        process, store = writing
        log = store.read()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)  # none of its threads is in a system call any more
        log = store.read(log)
        assert log.damage == ()
        assert store.read(log) is log
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: set(log) < set(store.read(log)))

    def test_what_a_killed_writer_acknowledged_is_there_and_half_a_line_is_no_damage(self, writing):
        process, store = writing
        log = store.read()
        process.kill()
        acknowledged = [int(line) for line in process.stdout]
        (path,) = segments(store)
        with path.open("ab") as file:  # as if it had been killed within its last line
            file.write(lines_of(200_000)[0][:100])
        log = store.read(log)
        assert set(ids(*acknowledged)) <= set(log)
        assert log.damage == ()
        with store.writer("next") as writer:
            writer.put(made(300_000))
        assert run_id(300_000) in store.read(log)
        assert store.read().damage == ()
