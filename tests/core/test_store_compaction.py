"""Compaction makes few files of many, answers stay what they were, and a crash costs nothing."""

from __future__ import annotations

import errno
import gzip
import os
import signal
import subprocess
import sys
import threading
import warnings
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from core.store_tools import made, run_id, segments, store_at
from metalab.errors import StoreError
from metalab.records import Status
from metalab.store import FileStore
from metalab.store.claiming import Ending
from metalab.store.document import record_line
from metalab.store.file import compaction, disk
from metalab.store.file.compaction import Compactor
from metalab.store.file.layout import Folder
from metalab.store.lines import (
    Stamp,
    derived_document,
    forget_document,
    line_of,
    parse_line,
    series_document,
)
from metalab.testing.faults import Faulty

PRIMITIVES = ["create", "write", "sync", "close", "move", "sync_directory", "remove"]


def runs_of(store) -> Path:
    return store.get_working_directory() / "runs"


def names(store) -> list[str]:
    return sorted(path.name for path in runs_of(store).iterdir())


def answer(store, log=None) -> dict:
    """All that a store says of its runs."""
    log = store.read() if log is None else log
    ids = sorted(log)
    return {
        "lines": list(log.lines(ids)),
        "blocks": sorted(b"\n".join(log.blocks()).split(b"\n")),
        "attempts": {each: log.attempts(each) for each in ids},
        "series": {each: log.series(each) for each in ids},
        "derived": {each: log.derived(each) for each in ids},
        "forgotten": {run_id(n): log.forgotten(run_id(n)) for n in range(30)},
        "damage": log.damage,
    }


def all_lines(store) -> set[bytes]:
    return {
        line
        for path in runs_of(store).iterdir()
        for line in opened(path).splitlines()
        if path.name.endswith((".jsonl", ".jsonl.gz"))
    }


def opened(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.name.endswith(".gz") else content


def write_segment(store, writer: str, lines, *, part: int = 1, closed: bool = True) -> Path:
    """Write a segment as a writer would have left it."""
    folder = runs_of(store)
    folder.mkdir(parents=True, exist_ok=True)
    stem = writer if part == 1 else f"{writer}-{part}"
    content = [line_of({"t": "open", "format": 1, "writer": writer, "part": part}), *lines]
    if closed:
        content.append(
            line_of({"t": "close", "writer": writer, "part": part, "lines": len(content)})
        )
    path = folder / f"{stem}.jsonl"
    path.write_bytes(b"".join(content))
    return path


def stamp(writer: str, seq: int, part: int = 1) -> Stamp:
    return Stamp(writer, part, seq, "l")


@pytest.fixture
def full(tmp_path):
    """A store with a bit of everything, in segments of five writers that have ended."""
    store = store_at(tmp_path / "store")
    for number in range(4):
        with store.writer(f"w{number}") as writer:
            for n in range(number * 3, number * 3 + 6):
                writer.put_series(made(n, attempt=number + 1), "loss", [(0, 1.0), (1, n)])
                status = Status.FAILED if n % 4 == 0 else Status.SUCCESS
                writer.put(made(n, status, attempt=number + 1))
    running = made(20, Status.RUNNING)
    write_segment(store, "dead.0.h.1", [record_line(running, stamp("dead.0.h.1", 1))])
    store.put_derived(run_id(3), "twice", {"y": 7.0})
    store.delete_run(run_id(5))
    store.close()
    return store


class TestTheAnswer:
    def test_many_segments_become_one_and_every_answer_stays(self, full):
        before, lines = answer(full), all_lines(full)
        done = full.compact()
        assert len(done.merged) == 6
        assert names(full) == [Path(done.made[0]).name]
        assert answer(full) == before
        assert lines < all_lines(full)  # byte for byte, and two lines more: its own ends
        assert done.bytes_after == sum(path.stat().st_size for path in segments(full))

    def test_a_reader_that_goes_on_sees_the_same(self, full):
        log = full.read()
        before = answer(full, log)
        full.compact()
        log = full.read(log)
        assert answer(full, log) == before
        with full.writer("later") as writer:
            writer.put(made(25))
        log = full.read(log)
        assert run_id(25) in log
        full.compact(gzip=True)
        log = full.read(log)
        assert answer(full, log) == answer(store_at(full.root))
        assert full.read(log) is log

    def test_compacting_again_does_nothing(self, full):
        full.compact()
        before = names(full)
        done = full.compact()
        assert (done.merged, done.made, done.bytes_before) == ((), (), 0)
        assert names(full) == before

    def test_a_compacted_store_that_grew_is_compacted_to_one_segment(self, full):
        full.compact()
        with full.writer("later") as writer:
            writer.put(made(25))
        before = answer(full)
        assert len(full.compact().merged) == 2
        assert len(names(full)) == 1
        assert answer(full) == before
        kinds = [parse_line(line)["t"] for line in opened(segments(full)[0]).splitlines()]
        assert (kinds.count("open"), kinds.count("close")) == (8, 8)  # no merged segment's own

    def test_a_dry_run_says_what_would_be_done_and_does_nothing(self, full):
        before = {path: path.read_bytes() for path in runs_of(full).iterdir()}
        would = full.compact(dry_run=True)
        assert {path: path.read_bytes() for path in runs_of(full).iterdir()} == before
        assert would.bytes_after is None
        done = full.compact()
        assert (would.merged, would.bytes_before) == (done.merged, done.bytes_before)

    def test_what_begins_an_attempt_goes_where_its_end_is_there(self, tmp_path):
        store = store_at(tmp_path)
        ended, open_ended = made(1, Status.RUNNING), made(2, Status.RUNNING)
        lines = [
            record_line(ended, stamp("w", 1)),
            record_line(open_ended, stamp("w", 2)),
            record_line(made(1), stamp("w", 3)),
        ]
        write_segment(store, "w", lines)
        write_segment(store, "v", [record_line(made(3), stamp("v", 1))])
        before = answer(store)
        assert store.compact().dropped == 1
        assert answer(store) == before
        assert lines[0].rstrip() not in all_lines(store)
        assert {lines[1].rstrip(), lines[2].rstrip()} <= all_lines(store)

    def test_unknown_kinds_of_lines_and_keys_are_kept_byte_for_byte(self, tmp_path):
        store = store_at(tmp_path)
        strange = [
            line_of({"t": "lost", "id": run_id(1), "attempt": 1, "writer": "w", "cause": "oom"}),
            line_of({"t": "release", "unit": 5, "writer": "w"}),
            line_of({"t": "from-the-future", "x": [1, {"y": None}]}),
            line_of({"seq": 4, "t": "written in another order"}),
        ]
        write_segment(store, "w", strange)
        write_segment(store, "v", [record_line(made(3), stamp("v", 1))])
        store.compact()
        assert {line.rstrip() for line in strange} <= all_lines(store)

    def test_the_order_of_lines_is_that_of_writers_and_parts(self, tmp_path):
        store = store_at(tmp_path)
        for part in (1, 2, 10):
            line = record_line(made(part), stamp("w", 1, part))
            write_segment(store, "w", [line], part=part, closed=part == 10)
        store.compact()
        kept = [parse_line(line) for line in opened(segments(store)[0]).splitlines()]
        assert [each["part"] for each in kept if each["t"] == "run"] == [1, 2, 10]

    def test_big_segments_are_made_of_a_bounded_size_and_not_merged_again(self, tmp_path):
        store = store_at(tmp_path)
        for number in range(12):
            name = f"w{number:02}"
            write_segment(store, name, [record_line(made(number), stamp(name, 1))])
        size = segments(store)[0].stat().st_size
        folder = Folder.of(store.root, store.experiment_id)
        before = answer(store)
        compactor = Compactor(folder, False, False, _never, limit=4 * size)
        assert len(compactor.run().made) == 3
        assert compactor.run().merged == ()
        assert answer(store) == before


def _never(_opening):
    return False


class TestWhatStays:
    def test_a_live_writer_is_left_alone(self, full):
        with full.writer("live") as writer:
            writer.put(made(26))
            writer.flush()
            done = full.compact()
            assert [Path(kept.place).name for kept in done.kept] == [f"{writer.name}.jsonl"]
            assert "still being written" in done.kept[0].reason
            writer.put(made(27))
        assert {run_id(26), run_id(27)} <= set(full.read())
        assert len(full.compact().merged) == 2

    def test_a_dead_writer_is_merged_only_if_its_death_is_proved(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        lines = [record_line(made(1), stamp("w", 1))]
        torn = write_segment(store, "w", lines, closed=False)
        torn.write_bytes(torn.read_bytes() + record_line(made(2), stamp("w", 2))[:-30])
        write_segment(store, "v", [record_line(made(3), stamp("v", 1))])
        before = answer(store)
        assert store.compact().merged == ()
        monkeypatch.setattr(store, "ending", lambda _writer: Ending("silent"))
        assert store.compact().merged == ()
        monkeypatch.setattr(store, "ending", lambda _writer: Ending("killed"))
        assert len(store.compact().merged) == 2
        assert answer(store) == before

    def test_a_damaged_segment_and_its_writers_other_parts_are_left_alone(self, tmp_path):
        store = store_at(tmp_path)
        bad = record_line(made(1), stamp("w", 1)).replace(b"1.5", b"9.5")
        write_segment(store, "w", [bad], closed=False)
        write_segment(store, "w", [record_line(made(2), stamp("w", 1, 2))], part=2)
        for name in "uv":
            write_segment(store, name, [record_line(made(3), stamp(name, 1))])
        before = answer(store)
        done = store.compact()
        assert {Path(path).name for path in done.merged} == {"u.jsonl", "v.jsonl"}
        assert f"{runs_of(store) / 'w.jsonl'}:2: the line is damaged" in done.kept[0].reason
        assert answer(store) == before

    def test_what_a_later_part_repeats_is_no_damage_and_need_not_be_kept(self, tmp_path):
        store = store_at(tmp_path)
        line = record_line(made(1), stamp("w", 1))
        first = write_segment(store, "w", [line], closed=False)
        good = first.stat().st_size
        first.write_bytes(first.read_bytes() + b'{"t":"run" half of a li\n')
        opening = line_of({"t": "open", "format": 1, "writer": "w", "part": 2, "prev_good": good})
        close = line_of({"t": "close", "writer": "w", "part": 2, "lines": 2})
        again = record_line(made(2), stamp("w", 2))
        (runs_of(store) / "w-2.jsonl").write_bytes(opening + again + close)
        before = answer(store)
        assert len(store.compact().merged) == 2
        assert answer(store) == before
        assert before["damage"] == ()

    def test_a_future_format_is_left_alone_and_named(self, full):
        path = runs_of(full) / "next.jsonl"
        path.write_bytes(line_of({"t": "open", "format": 2, "writer": "next", "part": 1}) + b"?\n")
        content = path.read_bytes()
        (kept,) = full.compact().kept
        assert kept.place == str(path)
        assert "format 2, this metalab reads formats up to 1" in kept.reason
        assert path.read_bytes() == content

    @pytest.mark.parametrize("opening", [b"", line_of({"t": "open", "writer": "w", "part": 1})])
    def test_what_was_joined_or_renamed_by_hand_is_left_alone(self, full, opening):
        path = runs_of(full) / "joined.jsonl"
        path.write_bytes(opening + record_line(made(1), stamp("w", 1)))
        (kept,) = full.compact().kept
        assert kept.place == str(path)
        assert "by hand" in kept.reason
        assert path.exists()

    def test_an_input_that_grew_meanwhile_is_kept(self, full, monkeypatch):
        victim = segments(full)[0]
        late = record_line(made(28), stamp("late", 1))

        def move(*args):
            victim.write_bytes(victim.read_bytes() + late)
            real(*args)

        real = disk.move
        monkeypatch.setattr(disk, "move", move)
        done = full.compact()
        monkeypatch.undo()
        assert [kept.place for kept in done.kept] == [str(victim)]
        assert victim.exists()
        assert run_id(28) in full.read()

    def test_an_input_that_cannot_be_removed_is_named_and_passed_over(self, full, monkeypatch):
        before, victim = answer(full), segments(full)[0]
        real = disk.remove
        monkeypatch.setattr(disk, "remove", lambda path: path == victim or real(path))
        (kept,) = full.compact().kept
        assert (kept.place, victim.exists()) == (str(victim), True)
        assert "cannot be removed" in kept.reason
        assert answer(full) == before

    def test_nothing_is_done_in_a_folder_that_cannot_be_written_to(self, full, monkeypatch):
        before = names(full)
        monkeypatch.setattr(os, "access", lambda *_: False)
        monkeypatch.setattr(disk, "create", Faulty(disk.create, range(99)))
        with pytest.raises(StoreError, match="cannot be written to: ask for write permission"):
            full.compact()
        assert disk.create.calls == 0
        assert names(full) == before

    def test_an_experiment_without_runs_has_nothing_to_compact(self, tmp_path):
        assert store_at(tmp_path).compact().merged == ()

    def test_a_collection_says_that_an_experiment_must_be_chosen(self, full):
        with pytest.raises(ValueError, match="choose one with scoped"):
            FileStore(full.root).compact()


class TestDroppingAttempts:
    def test_displaced_attempts_go_when_that_is_asked_for(self, full):
        before = answer(full)
        done = full.compact(drop_attempts=True)
        after = answer(full)
        assert done.dropped > 0
        for what in ("lines", "blocks", "series", "derived", "forgotten", "damage"):
            assert after[what] == before[what]
        assert all(len(attempts) == 1 for attempts in after["attempts"].values())
        assert any(len(attempts) > 1 for attempts in before["attempts"].values())
        assert full.compact(drop_attempts=True).dropped == 0

    def test_what_remains_of_forgotten_runs_goes_but_that_they_are_forgotten(self, full):
        full.compact(drop_attempts=True)
        left = [parse_line(line) for line in all_lines(full)]
        assert [each["t"] for each in left if each.get("id") == run_id(5)] == ["forget"]
        with full.writer("again") as writer:
            writer.put(made(5))  # an old copy that comes back
        assert run_id(5) not in full.read()

    def test_segments_of_a_bounded_size_are_enough_for_it(self, full):
        before = answer(full)
        folder = Folder.of(full.root, full.experiment_id)
        size = segments(full)[0].stat().st_size
        done = Compactor(folder, gzip=False, drop_attempts=True, is_over=_never, limit=size).run()
        assert len(done.made) > 1
        after = answer(full)
        assert (after["lines"], after["series"]) == (before["lines"], before["series"])
        assert all(len(attempts) == 1 for attempts in after["attempts"].values())

    def test_a_single_segment_is_written_anew_for_it(self, full):
        full.compact()
        done = full.compact(drop_attempts=True)
        assert (len(done.merged), len(done.made)) == (1, 1)


class TestGzip:
    def test_a_compressed_store_gives_the_same_answers_from_fewer_bytes(self, full):
        before = answer(full)
        done = full.compact(gzip=True)
        assert names(full) == [Path(done.made[0]).name]
        assert names(full)[0].endswith(".jsonl.gz")
        assert done.bytes_after < 0.5 * done.bytes_before
        assert answer(full) == before
        assert full.compact(gzip=True).merged == ()
        assert full.compact().merged == ()  # what is compressed stays so

    def test_compressed_and_plain_segments_are_not_mixed(self, full):
        full.compact(gzip=True)
        for number in range(2):
            with full.writer(f"later{number}") as writer:
                writer.put(made(25 + number))
        before = answer(full)
        full.compact()
        assert sorted(Path(name).suffix for name in names(full)) == [".gz", ".jsonl"]
        assert answer(full) == before
        full.compact(gzip=True)
        assert len(names(full)) == 1
        assert answer(full) == before


class Dying:
    """Stands in for the disk's calls; kills the process before the n-th of them."""

    def __init__(self, at: int) -> None:
        self.left = at

    def put(self, monkeypatch_to=disk) -> None:
        for name in PRIMITIVES:
            setattr(monkeypatch_to, name, self.around(getattr(disk, name)))

    def around(self, real):
        def call(*args):
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
            return real(*args)

        return call


def dies_at(number: int, work) -> bool:
    """Do work in a child that is killed before its n-th call of the disk; whether it was."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            Dying(number).put()
            work()
            status = 0
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in {0, -signal.SIGKILL}
    return code != 0


class TestCrashes:
    @pytest.mark.parametrize(
        "options", [{}, {"gzip": True}, {"drop_attempts": True}], ids=["plain", "gzip", "drop"]
    )
    def test_a_kill_before_any_call_of_the_disk_loses_nothing_and_the_next_one_ends_it(
        self, tmp_path, options
    ):
        deaths = 0
        while True:
            store = store_at(tmp_path / str(deaths))
            for number in range(3):
                name = f"w{number}"
                lines = [record_line(made(n, attempt=number + 1), stamp(name, n)) for n in range(4)]
                lines.append(line_of(forget_document(run_id(9), number + 1, stamp(name, 9))))
                write_segment(store, name, lines)
            seen = store.read()
            before = answer(store, seen)
            died = dies_at(deaths, partial(store_at(store.root).compact, **options))
            ask = set(before) - ({"attempts"} if "drop_attempts" in options else set())
            for log in (store.read(seen), store_at(store.root).read()):
                after = answer(store, log)
                assert {key: after[key] for key in ask} == {key: before[key] for key in ask}
            if not died:
                break
            store_at(store.root).compact(**options)
            after = answer(store_at(store.root))
            assert {key: after[key] for key in ask} == {key: before[key] for key in ask}
            assert len([name for name in names(store) if not name.startswith(".")]) == 1
            deaths += 1
        assert deaths > 10

    @pytest.mark.parametrize("what", ["create", "write", "sync", "move", "sync_directory"])
    def test_a_disk_that_fails_leaves_everything_as_it_was(self, full, monkeypatch, what):
        before, there = answer(full), names(full)
        monkeypatch.setattr(disk, what, Faulty(getattr(disk, what), [1], errno.ENOSPC))
        with pytest.raises(StoreError, match=r"cannot be compacted: No space left.* free some"):
            full.compact()
        monkeypatch.undo()
        assert (answer(full), names(full)) == (before, there)
        full.compact()
        assert answer(full) == before
        assert len(names(full)) == 1

    def test_a_limit_on_file_sizes_is_an_error_in_words(self, full):
        script = f"""if True:
            import resource
            from core.store_tools import store_at
            store = store_at({str(full.root)!r})
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
            try:
                store.compact()
            except Exception as error:
                print(type(error).__name__, error)
            resource.setrlimit(resource.RLIMIT_FSIZE, before)  # for who measures coverage
        """
        before, there = answer(full), names(full)
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        said = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, check=True
        ).stdout
        assert said.startswith(b"StoreError ")
        assert b"cannot be compacted" in said
        assert answer(full) == before
        assert names(full) == there

    def test_an_output_that_is_not_what_was_written_replaces_nothing(self, full, monkeypatch):
        real = disk.move

        def move(written, path, size):
            content = written.read_bytes()
            written.write_bytes(content.replace(b'"status":"success"', b'"status":"failed!"', 1))
            real(written, path, size)

        before, there = answer(full), names(full)
        monkeypatch.setattr(disk, "move", move)
        with pytest.raises(StoreError, match=r"jsonl:\d+ is damaged; what it replaces is kept"):
            full.compact()
        monkeypatch.undo()
        assert (answer(full), names(full)) == (before, there)


class TestCopies:
    def test_segments_that_linger_beside_their_copy_are_passed_over(self, full):
        before, rows = answer(full), len(full.read().index.segment)
        originals = {path: path.read_bytes() for path in segments(full)}
        full.compact()
        for path, content in originals.items():
            path.write_bytes(content)
        fresh = store_at(full.root)
        assert answer(fresh) == before
        assert len(fresh.read().index.segment) == rows  # none of them was read
        assert len(fresh.compact().merged) == len(originals)
        assert len(names(full)) == 1
        assert answer(store_at(full.root)) == before

    def test_a_half_copied_merged_segment_replaces_nothing(self, full):
        before = answer(full)
        originals = {path: path.read_bytes() for path in segments(full)}
        (copy,) = map(Path, full.compact().made)
        for path, content in originals.items():
            path.write_bytes(content)
        content = copy.read_bytes()
        for end in (len(content) // 3, len(content) // 2, len(content) - 1):
            copy.write_bytes(content[:end].rpartition(b"\n")[0] + b"\n")
            assert answer(store_at(full.root)) == before

    def test_an_original_that_differs_from_what_was_copied_counts(self, full):
        path = segments(full)[0]
        content = path.read_bytes()
        full.compact()
        path.write_bytes(content + record_line(made(28), stamp("late", 1)))
        assert run_id(28) in store_at(full.root).read()

    @pytest.mark.parametrize("replaces", [5, None, [["w1"]], [[1, "w"]], ["x"], {"a": 1}])
    def test_a_strange_list_of_what_is_replaced_is_no_error(self, tmp_path, replaces):
        store = store_at(tmp_path)
        runs_of(store).mkdir(parents=True)
        content = line_of(
            {"t": "open", "format": 1, "writer": "compact.x", "part": 1, "replaces": replaces}
        )
        content += record_line(made(1), stamp("w", 1))
        content += line_of({"t": "close", "writer": "compact.x", "part": 1, "lines": 2})
        (runs_of(store) / "compact.x.jsonl").write_bytes(content)
        assert list(store.read()) == [run_id(1)]


class TestAtOnce:
    def test_two_compactions_lose_nothing(self, full):
        before = answer(full)
        barrier = threading.Barrier(2)

        def compact():
            store = store_at(full.root)
            barrier.wait()
            done.append(store.compact())

        done = []
        threads = [threading.Thread(target=compact) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(done) == 2
        assert answer(store_at(full.root)) == before
        full.compact()
        assert answer(store_at(full.root)) == before

    @pytest.mark.parametrize("name", ["create", "move", "size_of", "remove"])
    def test_one_compaction_within_another_at_any_of_its_steps(self, full, monkeypatch, name):
        real, fired = getattr(disk, name), []

        def interrupted(*args):
            if not fired and (name == "remove" or "compact." in f"{args[0]} {args[-1]}"):
                fired.append(True)
                store_at(full.root).compact()
            return real(*args)

        before = answer(full)
        monkeypatch.setattr(disk, name, interrupted)
        full.compact()
        monkeypatch.undo()
        assert fired
        assert answer(store_at(full.root)) == before
        full.compact()
        assert answer(store_at(full.root)) == before
        assert len(names(full)) == 1

    @pytest.mark.parametrize("gzip", [False, True], ids=["left behind", "and its copy"])
    def test_what_another_removes_that_ends_the_same_crash_is_no_error(
        self, full, monkeypatch, gzip
    ):
        before = answer(full)
        originals = {path: path.read_bytes() for path in segments(full)}
        full.compact()
        for path, content in originals.items():
            path.write_bytes(content)
        real, overtaken = compaction.verify, []

        def verify(*args):
            if not overtaken:
                overtaken.append(True)
                store_at(full.root).compact(gzip=gzip)
            real(*args)

        monkeypatch.setattr(compaction, "verify", verify)
        assert full.compact().merged == ()
        assert answer(store_at(full.root)) == before
        assert len(names(full)) == 1

    @pytest.mark.parametrize(
        ("since", "sees"), [(False, "what is gone"), (False, "nothing"), (True, "nothing")]
    )
    def test_a_listing_that_a_compaction_overtakes_hides_no_run(
        self, full, monkeypatch, since, sees
    ):
        before = answer(full)
        reader = store_at(full.root)
        if since:
            reader.read()
        real, compacted = disk.names, []

        def overtaken(folder):
            listed = real(folder)
            if compacted or folder != runs_of(full):
                return listed
            compacted.append(True)
            full.compact()
            return listed if sees != "nothing" else []

        monkeypatch.setattr(disk, "names", overtaken)
        assert answer(reader) == before
        assert compacted

    def test_what_was_read_before_is_to_be_read_again(self, full):
        log = full.read()
        full.compact()
        with pytest.raises(StoreError, match="removed while it was in use; read the store again"):
            list(log.lines())

    def test_a_segment_that_goes_while_it_is_read_hides_no_run(self, full, monkeypatch):
        before = answer(full)
        real, compacted = disk.blocks, []

        def overtaken(path, *offset):
            if not compacted:
                compacted.append(True)
                full.compact()
            return real(path, *offset)

        monkeypatch.setattr(disk, "blocks", overtaken)
        assert answer(store_at(full.root)) == before

    def test_writers_beside_compactions_lose_nothing(self, tmp_path):
        store = store_at(tmp_path)
        done = threading.Event()

        def write():
            try:
                for number in range(40):
                    with store_at(tmp_path).writer(f"w{number}") as writer:
                        writer.put(made(number))
            finally:
                done.set()

        thread = threading.Thread(target=write)
        thread.start()
        log = store.read()
        while not done.is_set():
            store.compact()
            seen = set(log)
            log = store.read(log)
            assert seen <= set(log)
        thread.join()
        store.compact()
        assert sorted(store_at(tmp_path).read()) == [run_id(n) for n in range(40)]
        assert store.read().damage == ()


kinds = st.sampled_from(["run", "start", "series", "derived", "forget", "strange"])


@st.composite
def histories(draw):
    """Lines of some writers: any kinds, in any order, some of them twice."""
    made_lines: dict[str, list[bytes]] = {}
    for seq in range(draw(st.integers(1, 14))):
        writer = draw(st.sampled_from(["a", "b", "c"]))
        number, epoch, attempt = (draw(st.integers(0, 2)) for _ in range(3))
        at = stamp(writer, seq)
        kind = draw(kinds)
        status = draw(st.sampled_from([Status.SUCCESS, Status.FAILED, Status.CANCELLED]))
        if kind in {"run", "start"}:
            status = Status.RUNNING if kind == "start" else status
            line = record_line(made(number, status, epoch=epoch, attempt=attempt), at)
        elif kind == "series":
            run = made(number, epoch=epoch, attempt=attempt)
            line = line_of(series_document(run, "loss", [(seq, 0.5)], at))
        elif kind == "derived":
            values = {"y": attempt}
            document = derived_document(run_id(number), "f", values, at, code="c", of="", rev=epoch)
            line = line_of(document)
        elif kind == "forget":
            line = line_of(forget_document(run_id(number), epoch, at))
        else:
            line = line_of({"t": "unheard-of", "id": run_id(number), **at.items()})
        homes = draw(st.sets(st.sampled_from(["a", "b", "c"]), max_size=2)) | {writer}
        for home in sorted(homes):
            made_lines.setdefault(home, []).append(line)
    return made_lines


class TestAnyHistory:
    @settings(max_examples=60)
    @given(histories(), st.booleans(), st.booleans())
    def test_compacts_to_the_same_answers(self, tmp_path_factory, history, gzip, twice):
        store = store_at(tmp_path_factory.mktemp("history"))
        for writer, lines in history.items():
            write_segment(store, writer, lines)
        before = answer(store)
        store.compact(gzip=gzip)
        if twice:
            write_segment(store, "z", history.get("a", []))
            store.compact()
        after = answer(store_at(store.root))
        assert after == before

    @settings(max_examples=40)
    @given(histories())
    def test_dropping_attempts_changes_only_the_attempts(self, tmp_path_factory, history):
        store = store_at(tmp_path_factory.mktemp("history"))
        for writer, lines in history.items():
            write_segment(store, writer, lines)
        before = answer(store)
        store.compact(drop_attempts=True)
        after = answer(store_at(store.root))
        del before["attempts"], after["attempts"]
        assert after == before
