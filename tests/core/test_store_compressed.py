"""Compressed segments: read like plain ones, by metalab and by others' tools."""

from __future__ import annotations

import gzip
import random
import shutil
import subprocess
import zlib

import pytest

from core.store_tools import made, run_id, store_at
from metalab.errors import StoreError
from metalab.store.document import record_line, record_of
from metalab.store.file import disk
from metalab.store.file.compressed import Texts, compress, members
from metalab.store.file.content import line_numbers, pieces, stretches
from metalab.store.lines import Stamp, line_of

COUNT = 3000


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    chance = random.Random(4)
    return [
        record_line(made(n, notes=f"{chance.getrandbits(1000):x}"), Stamp("w", 1, n, "w"))
        for n in range(COUNT)
    ]


@pytest.fixture
def store(tmp_path, lines):
    """A store with one compressed segment of several members."""
    store = store_at(tmp_path / "store")
    runs = store.get_working_directory() / "runs"
    runs.mkdir(parents=True)
    opening = line_of({"t": "open", "format": 1, "writer": "w", "part": 1})
    closing = line_of({"t": "close", "writer": "w", "part": 1, "lines": COUNT + 1})
    (runs / "w.jsonl").write_bytes(b"".join([opening, *lines, closing]))
    store.compact(gzip=True)
    return store


@pytest.fixture
def path(store):
    (path,) = (store.get_working_directory() / "runs").iterdir()
    assert path.name.endswith(".jsonl.gz")
    return path


def text_of(path) -> bytes:
    return gzip.decompress(path.read_bytes())


class TestFormat:
    def test_a_file_is_of_members_that_say_how_long_they_are(self, path):
        with path.open("rb") as file:
            found = members(file)
        assert len(found) > 2
        assert sum(each.size for each in found) == path.stat().st_size
        text = text_of(path)
        for each in found:
            assert text[each.end - 1 : each.end] == b"\n"
            assert each.length < 2 << 20
        assert found[-1].end == len(text)

    def test_one_member_is_what_gzip_reads(self):
        for text in (b"", b"x", b"line\n" * 100_000):
            assert gzip.decompress(compress(text)) == text
        assert gzip.decompress(compress(b"a") + compress(b"b")) == b"ab"

    @pytest.mark.parametrize("command", ['zcat {} | grep -c \'"t":"run"\'', "jq", "duckdb"])
    def test_everyday_tools_read_it(self, path, command):
        program = command.split(maxsplit=1)[0]
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; apt-get install {program}")
        commands = {
            "jq": "zcat {} | jq -r 'select(.t==\"run\") | .t' | wc -l",
            "duckdb": (
                "duckdb -noheader -list -c \"select count(*) from read_json('{}', "
                "union_by_name=true, format='newline_delimited') where t = 'run'\""
            ),
        }
        command = commands.get(command, command).format(path)
        said = subprocess.run(command, shell=True, check=True, capture_output=True, text=True)
        assert said.stdout.strip() == str(COUNT)


class TestReading:
    def test_every_run_is_there_in_any_order(self, store, lines):
        log = store.read()
        assert len(log) == COUNT
        assert log.damage == ()
        chance = random.Random(3)
        order = [run_id(n) for n in chance.sample(range(COUNT), 200)]
        assert [record_of(line).run_id for line in log.lines(order)] == order
        assert list(log.lines()) == [line.rstrip(b"\n") for line in lines]

    def test_one_line_is_read_without_what_lies_before_it(self, store, path, monkeypatch):
        log = store.read()
        unpacked = []
        real = zlib.decompress

        def decompress(data, **options):
            unpacked.append(len(data))
            return real(data, **options)

        monkeypatch.setattr(zlib, "decompress", decompress)
        assert record_of(next(log.lines([run_id(COUNT - 1)]))).run_id == run_id(COUNT - 1)
        assert len(unpacked) == 1
        assert unpacked[0] < path.stat().st_size / 2

    def test_pieces_are_those_of_the_text(self, path):
        text = text_of(path)
        chance = random.Random(8)
        spans = [(chance.randrange(len(text)), chance.randrange(3 << 20)) for _ in range(20)]
        spans += [(0, len(text)), (len(text) - 5, 50), (len(text), 9), (3, 0)]
        assert list(pieces(path, spans)) == [text[at : at + size] for at, size in spans]

    def test_it_is_not_opened_again_where_nothing_is_new(self, store, monkeypatch):
        log = store.read()
        opened = []
        monkeypatch.setattr(disk, "reading", opened.append)
        monkeypatch.setattr(disk, "size_of", lambda path: opened.append(path) or 0)
        assert store.read(log) is log
        assert opened == []


class TestOthersFiles:
    """``gzip runs/x.jsonl`` by hand makes a stream that says nothing of its length."""

    @pytest.fixture
    def by_hand(self, store, path):
        text = text_of(path)
        path.unlink()
        other = path.with_name("w.jsonl.gz")
        other.write_bytes(gzip.compress(text))
        return other

    def test_it_is_read_from_any_place(self, store, by_hand, lines):
        log = store.read()
        assert len(log) == COUNT
        for number in (2999, 5, 1500, 5):
            assert next(log.lines([run_id(number)])) == lines[number].rstrip(b"\n")

    def test_it_may_follow_what_metalab_compressed(self, store, by_hand):
        first = record_line(made(COUNT), Stamp("v", 1, 1, "v"))
        by_hand.write_bytes(compress(first) + by_hand.read_bytes())
        text = text_of(by_hand)
        assert len(store.read()) == COUNT + 1
        spans = [(10, len(first)), (len(text) - 100, 50), (0, 20), (len(first), 30)]
        assert list(pieces(by_hand, spans)) == [text[at : at + size] for at, size in spans]
        assert b"".join(b"\n".join([*s.lines, b""]) for s in stretches(by_hand)) == text

    def test_a_segment_that_is_empty_or_no_gzip_is_no_error(self, store, path):
        path.with_name("empty.jsonl.gz").write_bytes(b"")
        path.with_name("other.jsonl.gz").write_bytes(b"not gzip at all\n")
        log = store.read()
        assert len(log) == COUNT
        (damage,) = log.damage
        assert damage.place.endswith("other.jsonl.gz:1")
        assert "damaged or cut short" in damage.reason


class TestDamage:
    def test_a_damaged_member_costs_no_more_than_its_own_lines(self, store, path):
        with path.open("rb") as file:
            first, second, *_ = members(file)
        content = bytearray(path.read_bytes())
        content[second.start + second.size // 2] ^= 4
        path.write_bytes(content)
        before = text_of_members(path, skip=second)
        log = store_at(store.root).read()
        assert len(log) == before.count(b'"t":"run"')
        assert COUNT / 2 < len(log) < COUNT
        (damage,) = log.damage
        line = path.read_bytes()[: first.size]
        assert damage.place == f"{path}:{gzip.decompress(line).count(10) + 1}"
        assert "damaged or cut short" in damage.reason

    def test_a_copy_that_is_under_way_is_read_on(self, store, path):
        content = path.read_bytes()
        store.close()
        log = None
        for end in (10, 30, len(content) // 3, len(content) // 2, len(content) - 3):
            path.write_bytes(content[:end])
            log = store.read(log)
            assert len(log.damage) == 1
            assert len(log) < COUNT or end > len(content) - 9
        path.write_bytes(content)
        log = store.read(log)
        assert (len(log), log.damage) == (COUNT, ())
        assert list(log.lines()) == list(store_at(store.root).read().lines())
        assert store.read(log) is log

    def test_bits_that_flip_give_no_wrong_answer(self, store, path, lines):
        content = path.read_bytes()
        right = {line.rstrip(b"\n") for line in lines}
        chance = random.Random(5)
        for _ in range(12):
            spoilt = bytearray(content)
            spoilt[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            path.write_bytes(spoilt)
            log = store_at(store.root).read()
            assert set(log.lines()) <= right
            assert len(log) == COUNT or log.damage

    def test_damage_after_reading_is_an_error_in_words(self, store, path):
        log = store.read()
        content = bytearray(path.read_bytes())
        content[-100] ^= 255
        path.write_bytes(content)
        with pytest.raises(StoreError, match="was damaged while it was in use"):
            list(log.lines([run_id(COUNT - 1)]))

    def test_line_numbers_are_those_that_zcat_shows(self, path):
        text = text_of(path)
        offsets = [0, text.index(b"\n") + 1, text.rindex(b"\n", 0, -1) + 1]
        assert line_numbers(path, offsets) == [1, 2, COUNT + 4]


def text_of_members(path, skip) -> bytes:
    with path.open("rb") as file:
        texts = Texts(file)
        wanted = [each for each in texts if each.start != skip.start]
        return b"".join(b"".join(texts.blocks(each, each.offset)) for each in wanted)
