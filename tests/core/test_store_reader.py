"""Reading survives whatever a disk, a crash or a hand has done to the files."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil

import pytest

from core.store_tools import EXPERIMENT, made, run_id, segments, store_at
from metalab.errors import StoreError
from metalab.records import Status
from metalab.store import FileStoreConfig
from metalab.store.document import record_line, record_of
from metalab.store.file import disk
from metalab.store.file.reader import read_runs
from metalab.store.lines import Stamp, line_of, seal

COUNT = 6


@pytest.fixture
def written(tmp_path):
    """A store with one segment of a few runs."""
    store = store_at(tmp_path / "store")
    with store.writer("launch") as writer:
        for n in range(COUNT):
            writer.put(made(n))
    return store


@pytest.fixture
def growing(tmp_path):
    """A store, and the path of a segment that its writer has not closed."""
    store = store_at(tmp_path / "store")
    path = store.get_working_directory() / "runs" / "w.0.host.01234567.jsonl"
    path.parent.mkdir(parents=True)
    return store, path


def lines_of(*numbers: int, writer: str = "w.0.host.01234567", part: int = 1) -> list[bytes]:
    return [record_line(made(n), Stamp(writer, part, n, "w")) for n in numbers]


def close_line(writer: str = "w.0.host.01234567", part: int = 1) -> bytes:
    return line_of({"t": "close", "writer": writer, "part": part, "lines": 9})


def open_line(**fields) -> bytes:
    return line_of({"t": "open", "format": 1, "writer": "w.0.host.01234567", "part": 1, **fields})


def found(store) -> dict[str, float]:
    return {
        record.run_id: record.metrics["score"] for record in map(record_of, store.read().lines())
    }


def expected(*numbers: int) -> dict[str, float]:
    return {run_id(n): n + 0.5 for n in numbers}


class TestBlocks:
    """Blocks hold what ``lines`` yields, however the lines lie on disk."""

    @staticmethod
    def of(log, run_ids=None) -> list[bytes]:
        return b"\n".join(log.blocks(run_ids)).split(b"\n")

    def test_lines_that_lie_side_by_side_come_as_they_are(self, growing):
        store, path = growing
        path.write_bytes(open_line() + b"".join(lines_of(*range(700))) + close_line())
        log = store.read()
        assert self.of(log) == [line.rstrip(b"\n") for line in lines_of(*range(700))]
        assert max(block.count(b"\n") for block in log.blocks()) < 256
        assert list(log.lines()) == self.of(log)

    def test_what_lies_between_lines_is_left_out(self, growing):
        store, path = growing
        first, bad, last = lines_of(0, 1, 2)
        path.write_bytes(first + bad.replace(b"1.5", b"9.5") + last + close_line())
        log = store.read()
        assert self.of(log) == [first.rstrip(b"\n"), last.rstrip(b"\n")]
        assert len(log.damage) == 1

    def test_a_damaged_line_feed_between_lines_parts_them(self, growing):
        store, path = growing
        first, second, third = lines_of(0, 1, 2)
        path.write_bytes(first[:-1] + b"X" + second + third + close_line())
        log = store.read()
        assert sorted(self.of(log)) == [line.rstrip(b"\n") for line in (first, second, third)]

    def test_starts_among_records_and_displaced_records_are_no_obstacle(self, growing):
        store, path = growing
        running = record_line(made(9, Status.RUNNING), Stamp("w.0.host.01234567", 1, 50, "w"))
        again = record_line(made(1, metrics={"score": 8.0}, attempt=2), Stamp("w", 1, 51, "w"))
        path.write_bytes(b"".join([*lines_of(0, 1), running, *lines_of(2), again]))
        log = store.read()
        found = {record_of(line).run_id: record_of(line).attempt for line in self.of(log)}
        assert found == {run_id(0): 1, run_id(1): 2, run_id(2): 1, run_id(9): 1}

    def test_several_segments_and_an_order_that_is_asked_for(self, growing):
        store, path = growing
        path.write_bytes(b"".join(lines_of(*range(0, 600, 2))))
        other = path.with_name("v.0.host.01234567.jsonl")
        other.write_bytes(b"".join(lines_of(*range(1, 600, 2), writer="v.0.host.01234567")))
        log = store.read()
        assert sorted(record_of(line).run_id for line in self.of(log)) == sorted(log)
        order = [run_id(n) for n in range(599, -1, -1)]
        assert [record_of(line).run_id for line in self.of(log, order)] == order

    def test_an_order_in_which_they_lie_on_disk_is_kept_whatever_lies_between(self, growing):
        store, path = growing
        lines = lines_of(*range(20_000))
        other = path.with_name("v.0.host.01234567.jsonl")
        other.write_bytes(b"".join(lines_of(50_000, writer="v.0.host.01234567")))
        lines[9_000] = lines[9_000].replace(b"9000.5", b"9999.5")  # damaged
        path.write_bytes(open_line() + b"".join(lines))
        log = store.read()
        order = [run_id(n) for n in range(20_000) if n != 9_000]
        for wanted in (order, order[5:], order[::2], [*order[300:], run_id(50_000), *order[:2]]):
            assert [record_of(line).run_id for line in self.of(log, wanted)] == wanted
        assert self.of(log, order) == list(log.lines(order))

    def test_a_forgotten_run_has_no_line(self, written):
        log = written.read()
        with written.writer("later") as writer:
            writer.forget(run_id(0), 1)
        log = written.read(log)
        assert run_id(0) not in {record_of(line).run_id for line in self.of(log)}

    def test_a_file_that_was_replaced_is_an_error_in_words(self, written):
        log = written.read()
        (path,) = segments(written)
        path.write_bytes(path.read_bytes().replace(b"\n", b" "))
        assert len(list(log.blocks())) == 1  # cut line by line, each is what it was
        path.write_bytes(b"x" * path.stat().st_size)
        with pytest.raises(StoreError, match="changed while it was in use"):
            list(log.blocks())

    def test_nothing_has_no_blocks(self, written):
        assert list(written.read().blocks([])) == []


class TestTornFiles:
    def test_a_file_cut_at_any_byte_loses_only_the_lines_cut(self, growing):
        _, path = growing
        content = open_line() + b"".join(lines_of(0, 1)) + close_line()
        ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
        for size in range(len(content)):
            path.write_bytes(content[:size])
            log = read_runs(path.parent)
            # A line that lacks only its line feed is whole.
            whole = sum(end <= size + 1 for end in ends)
            assert len(log) == min(max(whole - 1, 0), 2)
            assert log.damage == ()

    def test_a_damaged_line_is_named_by_file_and_line(self, written):
        (path,) = segments(written)
        lines = path.read_bytes().splitlines(keepends=True)
        lines[3] = lines[3].replace(b"score", b"scare")
        path.write_bytes(b"".join(lines))
        (damage,) = written.read().damage
        assert damage.place == f"{path}:4"
        assert "checksum" in damage.reason
        assert found(written) == expected(0, 1, 3, 4, 5)

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"{", b"\x00" * 5000, b"[]\n", b"\xff\n"])
    def test_files_that_hold_no_line_are_no_error(self, growing, content):
        store, path = growing
        path.write_bytes(content)
        assert len(store.read()) == 0

    def test_a_status_that_nobody_knows_is_damage_not_an_error(self, growing):
        store, path = growing
        strange = lines_of(0)[0].replace(b"success", b"perfect")
        body = strange.rpartition(b',"crc"')[0]
        path.write_bytes(open_line() + seal(body) + lines_of(1)[0])
        log = store.read()
        assert list(log) == [run_id(1)]
        assert [each.place for each in log.damage] == [f"{path}:2"]


class TestGrowingFiles:
    def test_a_bad_line_is_waited_for_while_its_file_grows(self, growing):
        store, path = growing
        lines = lines_of(0, 1, 2)
        path.write_bytes(open_line() + lines[0])
        log = store.read()
        # On a network file system a block may arrive after its successor.
        path.write_bytes(open_line() + lines[0] + bytes(len(lines[1]) - 1) + b"\n" + lines[2])
        log = store.read(log)
        assert sorted(log) == [run_id(0), run_id(2)]
        assert log.damage == ()
        path.write_bytes(open_line() + b"".join(lines))
        log = store.read(log)
        assert sorted(log) == [run_id(n) for n in range(3)]

    def test_what_follows_a_bad_line_is_counted_once_however_often_it_is_read(self, growing):
        store, path = growing
        content = open_line() + b"x" * 50 + b"\n" + b"".join(lines_of(0, 1))
        path.write_bytes(content)
        log = store.read()
        for n in range(2, 8):
            assert store.read(log) is log
            with path.open("ab") as file:
                file.write(lines_of(n)[0])
            log = store.read(log)
            assert len(log) == n + 1
        assert len(log.index.segment) == 8
        path.write_bytes(path.read_bytes().replace(b"x" * 50, lines_of(9)[0][:50]))
        log = store.read(log)
        assert log.damage == ()
        assert len(store.read().damage) == 1

    def test_a_read_from_nothing_wants_all_there_is_and_still_finds_the_rest(self, growing):
        store, path = growing
        lines = lines_of(0, 1, 2)
        path.write_bytes(open_line() + lines[0] + bytes(len(lines[1]) - 1) + b"\n" + lines[2])
        log = store.read()
        assert sorted(log) == [run_id(0), run_id(2)]
        assert len(log.damage) == 1
        path.write_bytes(open_line() + b"".join(lines))
        log = store.read(log)
        assert sorted(log) == [run_id(n) for n in range(3)]
        assert log.damage == ()

    @pytest.mark.parametrize("sealed_by", ["close", "next part"])
    def test_a_bad_line_of_a_file_that_is_over_is_stepped_over(self, growing, sealed_by):
        store, path = growing
        log = store.read()
        lines = lines_of(0, 1, 2)
        lines[1] = lines[1].replace(b"score", b"scare")
        end = close_line() if sealed_by == "close" else b""
        path.write_bytes(open_line() + b"".join(lines) + end)
        if sealed_by == "next part":
            path.with_name("w.0.host.01234567-2.jsonl").write_bytes(open_line(part=2))
        log = store.read(log)
        assert sorted(log) == [run_id(0), run_id(2)]
        assert len(log.damage) == 1

    def test_what_lies_beyond_what_the_next_part_calls_good_is_no_damage(self, growing):
        store, path = growing
        lines = lines_of(0, 1)
        torn = lines[1][:40] + b"\n"
        path.write_bytes(open_line() + lines[0] + torn)
        good = len(open_line() + lines[0])
        second = path.with_name("w.0.host.01234567-2.jsonl")
        second.write_bytes(open_line(part=2, prev_good=good) + lines[1])
        log = store.read()
        assert sorted(log) == [run_id(0), run_id(1)]
        assert log.damage == ()

    def test_closed_files_are_not_opened_again(self, written, monkeypatch):
        log = written.read()
        opened = []
        monkeypatch.setattr(disk, "size_of", lambda path: opened.append(path) or 0)
        assert written.read(log) is log
        assert opened == []

    def test_what_was_read_before_is_not_read_again(self, growing, monkeypatch):
        store, path = growing
        path.write_bytes(open_line() + b"".join(lines_of(*range(100))))
        log = store.read()
        offsets = []
        real = disk.blocks
        monkeypatch.setattr(
            disk, "blocks", lambda path, offset: offsets.append(offset) or real(path, offset)
        )
        size = path.stat().st_size
        with path.open("ab") as file:
            file.write(lines_of(100)[0])
        assert len(store.read(log)) == 101
        assert offsets == [size]

    def test_a_line_feed_that_comes_late_is_no_line(self, growing):
        store, path = growing
        first, second = lines_of(0, 1)
        path.write_bytes(first.rstrip(b"\n"))
        log = store.read()
        assert list(log) == [run_id(0)]
        path.write_bytes(first + second)
        log = store.read(log)
        assert sorted(log) == [run_id(0), run_id(1)]
        assert log.damage == ()

    def test_a_file_larger_than_a_block_is_read_whole(self, growing):
        store, path = growing
        big = made(3, metrics={"text": "x" * (5 << 20)})
        path.write_bytes(
            b"".join([*lines_of(1, 2), record_line(big, Stamp("w", 1, 9, "w")), *lines_of(4)])
        )
        assert sorted(store.read()) == [run_id(n) for n in (1, 2, 3, 4)]


class TestFilesThatChange:
    def test_a_segment_that_vanished_is_forgotten_by_the_next_read(self, written):
        log = written.read()
        with written.writer("other") as writer:
            writer.put(made(77))
        log = written.read(log)
        segments(written)[0].unlink()
        assert list(written.read(log)) == [run_id(77)]

    def test_a_segment_that_shrank_is_read_anew(self, growing):
        store, path = growing
        path.write_bytes(b"".join(lines_of(0, 1, 2)))
        log = store.read()
        path.write_bytes(lines_of(5)[0])
        assert list(store.read(log)) == [run_id(5)]

    def test_a_line_whose_file_is_gone_is_an_error_in_words(self, written):
        log = written.read()
        segments(written)[0].unlink()
        with pytest.raises(StoreError, match="removed while it was in use; read the store again"):
            list(log.lines())

    def test_a_line_whose_file_was_replaced_is_an_error_in_words(self, written):
        log = written.read()
        segments(written)[0].write_bytes(b"x" * 10_000)
        with pytest.raises(StoreError, match="changed while it was in use"):
            list(log.lines([run_id(1)]))

    def test_a_file_may_vanish_between_listing_and_reading(self, written, monkeypatch):
        real = disk.names
        monkeypatch.setattr(disk, "names", lambda path: [*real(path), "gone.jsonl"])
        assert len(written.read()) == COUNT

    def test_a_log_of_another_store_is_not_continued(self, written, tmp_path):
        other = store_at(tmp_path / "other")
        assert len(other.read(written.read())) == 0

    def test_a_line_whose_file_is_gone_loses_every_tie(self, growing):
        store, path = growing
        path.write_bytes(b"".join(lines_of(0)))
        rows = store.read()._rows
        assert rows.tie(0) == ("w.0.host.01234567", 1, 0)
        path.unlink()
        assert rows.tie(0) == ("", 0, 0)

    def test_a_tie_with_a_line_whose_file_is_gone_is_won_by_what_is_there(self, growing):
        store, path = growing
        path.write_bytes(b"".join(lines_of(0)))
        log = store.read()
        copy = path.with_name("a.jsonl")
        copy.write_bytes(b"".join(lines_of(0)))
        log = store.read(log)
        assert len(list(log.lines())) == 1


class TestFilesMadeByHand:
    def test_files_joined_by_hand_are_read(self, written, tmp_path):
        with written.writer("other") as writer:
            writer.put(made(50))
        joined = b"".join(path.read_bytes() for path in segments(written))
        copy = store_at(tmp_path / "copy")
        runs = copy.get_working_directory() / "runs"
        runs.mkdir(parents=True)
        (runs / "joined.jsonl").write_bytes(joined)
        log = copy.read()
        assert len(log) == COUNT + 1
        with (runs / "joined.jsonl").open("ab") as file:  # it is nobody's, so it may go on
            file.write(lines_of(60)[0])
        assert len(copy.read(log)) == COUNT + 2

    def test_half_a_line_glued_to_a_whole_one_costs_only_the_half(self, growing):
        store, path = growing
        first, second, third = lines_of(0, 1, 2)
        path.with_name("joined.jsonl").write_bytes(first + second[:100] + third + close_line("x"))
        log = store.read()
        assert sorted(log) == [run_id(0), run_id(2)]
        assert [each.place for each in log.damage] == [f"{path.with_name('joined.jsonl')}:2"]
        assert len(list(log.lines())) == 2
        assert len(store.read(log).index.segment) == 2

    def test_a_damaged_line_feed_costs_nothing(self, growing):
        store, path = growing
        path.write_bytes(b"".join(lines_of(0, 1, 2)).replace(b"\n", b"\x0b", 1))
        log = store.read()
        assert sorted(log) == [run_id(n) for n in range(3)]
        assert log.damage == ()
        assert [record_of(line).run_id for line in log.lines([run_id(0)])] == [run_id(0)]

    def test_a_copied_store_answers_the_same(self, written, tmp_path):
        shutil.copytree(written.root, tmp_path / "copy")
        for path in segments(written):
            shutil.copy(path, tmp_path / "copy" / "my_exp_1.0" / "runs" / "twice.jsonl")
        assert found(FileStoreConfig(tmp_path / "copy").open().scoped(EXPERIMENT)) == found(written)

    def test_lines_of_unknown_kinds_and_keys_are_skipped_and_kept(self, growing):
        store, path = growing
        known = lines_of(0)[0]
        later = line_of({"t": "teleport", "id": run_id(9), "x": 1})
        extended = json.loads(lines_of(1)[0])
        del extended["crc"]
        extended = line_of({**extended, "later": 5})
        path.write_bytes(open_line(new="key") + later + known + extended)
        log = store.read()
        assert sorted(log) == [run_id(0), run_id(1)]
        assert b'"later":5' in next(log.lines([run_id(1)]))
        assert log.damage == ()

    def test_lines_with_their_keys_in_another_order_count(self, growing):
        store, path = growing
        document = {
            "id": run_id(4),
            "t": "run",
            "status": "success",
            "attempt": 2,
            "epoch": 0,
            "metrics": {"score": 4.5},
            "code": "",
        }
        path.write_bytes(line_of(document))
        assert found(store) == expected(4)
        assert store.read().state(run_id(4)).attempt == 2

    @pytest.mark.parametrize(
        "document",
        [
            {"t": "run", "epoch": 0, "attempt": 1, "status": "success"},
            {"t": "run", "id": run_id(), "attempt": 1, "status": "success"},
            {"t": "run", "id": run_id(), "epoch": 0, "attempt": 1, "status": "great"},
            {"t": "run", "id": 5, "epoch": 0, "attempt": 1, "status": "success"},
            {"t": "start", "id": run_id(), "epoch": 0, "attempt": 1, "status": 7},
            {"t": 5},
            {"id": run_id()},
        ],
    )
    def test_lines_that_lack_what_they_need_are_damage(self, growing, document):
        store, path = growing
        path.write_bytes(line_of(document) + lines_of(1)[0])
        log = store.read()
        assert list(log) == [run_id(1)]
        assert len(log.damage) == 1

    def test_other_files_and_hidden_ones_are_left_alone(self, written):
        runs = written.get_working_directory() / "runs"
        (runs / ".tmp.jsonl").write_bytes(lines_of(70)[0])
        (runs / "notes.txt").write_text("mine")
        assert found(written) == expected(*range(COUNT))

    def test_a_name_listed_twice_is_read_once(self, written, monkeypatch):
        real = os.scandir

        @contextlib.contextmanager
        def twice(path):
            with real(path) as entries:
                yield [*entries] * 2

        monkeypatch.setattr(os, "scandir", twice)
        log = written.read()
        assert len(log.attempts(run_id(0))) == 1
        assert len(log.positions) == 1


class TestFormats:
    def test_a_segment_of_a_newer_format_is_refused_by_name_the_rest_is_read(self, growing):
        store, path = growing
        path.write_bytes(open_line(format=2) + b"".join(lines_of(0, 1)))
        path.with_name("other.jsonl").write_bytes(lines_of(5)[0])
        log = store.read()
        assert list(log) == [run_id(5)]
        (damage,) = log.damage
        assert damage.place == f"{path}:1"
        assert "format 2, this metalab reads formats up to 1: upgrade it" in damage.reason
        assert store.read(log).damage == log.damage


class TestManyRuns:
    def test_statuses_attempts_and_codes_mix_in_one_file(self, growing):
        store, path = growing
        chance = random.Random(3)
        wanted = {}
        content = [open_line()]
        for n in range(3000):
            status = chance.choice(list(Status))
            record = made(n, status, attempt=chance.randrange(1, 4), epoch=chance.randrange(2))
            wanted[record.run_id] = (record.status, record.epoch, record.attempt)
            content.append(record_line(record, Stamp("w", 1, n, "w")))
        path.write_bytes(b"".join(content))
        log = store.read()
        states = {each: log.state(each) for each in log}
        assert {key: (s.status, s.epoch, s.attempt) for key, s in states.items()} == wanted
        shuffled = chance.sample(list(wanted), 3000)
        assert [record_of(line).run_id for line in log.lines(shuffled)] == shuffled

    def test_lines_far_apart_are_not_read_together(self, growing):
        store, path = growing
        big = record_line(made(99, metrics={"t": "x" * 200_000}), Stamp("w", 1, 99, "w"))
        path.write_bytes(lines_of(0)[0] + big + lines_of(1)[0] + big + lines_of(2)[0])
        log = store.read()
        assert [record_of(line).run_id for line in log.lines([run_id(2), run_id(0)])] == [
            *(run_id(2), run_id(0)),
        ]
