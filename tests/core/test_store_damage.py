"""Nothing wrong is ever read from a damaged segment that holds every kind of line."""

from __future__ import annotations

import random

import pytest

from core.store_tools import made, run_id, segments, store_at
from metalab.records import Status
from metalab.store.file.reader import read_runs

COUNT = 2
FLIPS = 3000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one segment, whose writer was closed."""
    store = store_at(tmp_path_factory.mktemp("damage"))
    with store.writer("launch") as writer:
        for n in range(COUNT):
            writer.put_series(made(n), "loss", [(0, n + 0.5), (1, n + 0.25)])
            writer.put(made(n, metrics={"score": n + 0.5, "text": "naïve"}))
            writer.put_derived(run_id(n), "double", {"x": 2 * n}, code="c", of="", rev=1)
        writer.put(made(COUNT, Status.RUNNING))
        writer.forget(run_id(COUNT + 1), 1)
    return segments(store)[0].parent


@pytest.fixture
def segment(folder):
    (path,) = folder.iterdir()
    content = path.read_bytes()
    yield path
    path.write_bytes(content)


def answers(log) -> dict[str, object]:
    """Everything that can be asked of a log, by run."""
    kept = {each: (next(log.lines([each])), log.series(each), log.derived(each)) for each in log}
    return kept | {"forgotten": log.forgotten(run_id(COUNT + 1))}


def check_nothing_wrong(log, right: dict[str, object]) -> int:
    """Return how many answers are missing; what there is must be what was written."""
    missing = 0
    for key, answer in right.items():
        if key == "forgotten":
            missing += log.forgotten(run_id(COUNT + 1)) != answer
        elif key not in log:
            missing += 1
        else:
            line, series, derived = answer
            assert next(log.lines([key])) == line
            assert log.series(key) in ({}, series)
            assert log.derived(key) in ({}, derived)
            missing += (log.series(key) != series) + (log.derived(key) != derived)
    assert set(log) <= set(right)
    return missing


def test_a_flipped_bit_costs_at_most_its_line_and_is_reported_there(segment):
    content = segment.read_bytes()
    right = answers(read_runs(segment.parent))
    chance = random.Random(7)
    for place in (chance.randrange(len(content) * 8) for _ in range(FLIPS)):
        at, bit = divmod(place, 8)
        flipped = bytearray(content)
        flipped[at] ^= 1 << bit
        segment.write_bytes(flipped)
        log = read_runs(segment.parent)
        missing = check_nothing_wrong(log, right)
        assert missing <= 1, f"bit {bit} of byte {at}"
        number = content.count(b"\n", 0, at) + 1
        places = {f"{segment}:{number}", f"{segment}:{number + 1}"}  # a line feed may be made
        assert {each.place for each in log.damage} <= places
        if missing:
            assert log.damage, f"bit {bit} of byte {at}"


def test_a_hole_of_zeros_costs_only_what_it_covers(segment):
    content = segment.read_bytes()
    right = answers(read_runs(segment.parent))
    chance = random.Random(8)
    for _ in range(1000):
        start = chance.randrange(len(content))
        hole = content[start : start + chance.randrange(1, 600)]
        segment.write_bytes(content[:start] + bytes(len(hole)) + content[start + len(hole) :])
        log = read_runs(segment.parent)
        touched = hole.count(b"\n") + 1
        # A line feed that is gone joins two lines, of which the second may yet be told.
        assert check_nothing_wrong(log, right) <= touched + 1, f"{len(hole)} bytes at {start}"


def test_a_file_cut_at_any_byte_loses_only_the_lines_cut(segment):
    content = segment.read_bytes()
    right = answers(read_runs(segment.parent))
    for size in range(len(content)):
        segment.write_bytes(content[:size])
        log = read_runs(segment.parent)
        check_nothing_wrong(log, right)
        assert log.damage == ()
        # A record that lacks only its line feed is whole.
        whole = [line for line in content[: size + 1].split(b"\n")[:-1] if b'"status"' in line]
        assert len(log) == len(whole)
