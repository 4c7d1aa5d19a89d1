"""Lines that any store gives back are folded as the file store's own are."""

from __future__ import annotations

import random

import pytest

from metalab.store import FileStoreConfig
from metalab.store.folded import FoldedLog
from metalab.store.reading import Loss
from metalab.testing.store.samples import EXPERIMENT, made, put, run_id
from metalab.testing.store.telling import fill


@pytest.fixture
def store(tmp_path):
    with FileStoreConfig(tmp_path / "store").for_experiment(EXPERIMENT) as store:
        fill(store)
        yield store


def kept(store):
    """Return every line of a store's segments by its place."""
    return {
        f"{path.name}:{number}": line
        for path in sorted(store.get_working_directory().glob("runs/*.jsonl"))
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1)
    }


def told(log):
    """Say all that a log can be asked."""
    subjects = sorted(log.subjects())
    histories = zip(subjects, log.history(subjects), strict=True)
    return {
        "runs": {run: (log.state(run), *log.lines([run])) for run in log},
        "subjects": {run: (log.forgotten(run), log.attempts(run)) for run in subjects},
        "captured": {run: repr((log.series(run), log.derived(run))) for run in subjects},
        "losses": {run: list(log.losses(run)) for run in subjects},
        "histories": {run: set(lines) for run, lines in histories},
        "released": {unit: set(who) for unit, who in log.released("plan").items()},
        "length": len(log),
    }


def test_it_says_what_the_file_store_says_in_whatever_order_lines_come(store):
    with store.writer("another") as writer:
        writer.join("plan")
        writer.release("plan", [1, 2])
        writer.release("another plan", [3])
        writer.put_loss(run_id(0), Loss(0, 1, "a writer", "killed"))
    store.delete_run(run_id(1))
    lines = list(kept(store).items())
    expected = told(store.read())
    assert all(expected.values())
    assert any(expected["losses"].values())
    for seed in range(5):
        random.Random(seed).shuffle(lines)
        assert told(FoldedLog(dict(lines))) == expected


def test_copies_of_a_line_count_once(store):
    lines = kept(store)
    twice = lines | {f"copy of {place}": line for place, line in lines.items()}
    assert told(FoldedLog(twice)) == told(FoldedLog(lines))


def test_a_damaged_line_is_told_with_its_place_and_costs_no_other(store):
    put(store, made(number=7, notes="precious"))
    lines = kept(store)
    (place,) = [place for place, line in lines.items() if b"precious" in line]
    log = FoldedLog(lines | {place: lines[place].replace(b"precious", b"worthier")})
    assert [each.place for each in log.damage] == [place]
    assert set(log) == set(store.read()) - {run_id(7)}
    with pytest.raises(KeyError):
        next(log.lines([run_id(7)]))
