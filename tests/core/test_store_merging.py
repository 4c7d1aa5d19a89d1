"""Merging stores is a union: the order, and how often, make no difference."""

from __future__ import annotations

import tempfile
from pathlib import Path

import attrs
from hypothesis import given, settings, strategies as st

from core.store_tools import EXPERIMENT, made, run_id
from metalab.records import Status
from metalab.store import FileStoreConfig, export_store
from metalab.store.logcopies import lacking
from metalab.store.reading import LogLine
from metalab.testing.store.samples import kept_artifact
from metalab.testing.store.telling import said

RUNS = st.integers(0, 2)
SMALL = st.integers(0, 2)


@attrs.frozen
class Put:
    run: int
    status: Status
    epoch: int
    attempt: int
    artifact: bytes | None
    points: int
    log: str | None

    def into(self, store, writer):
        record = made(self.run, self.status, epoch=self.epoch, attempt=self.attempt)
        if self.artifact is not None:
            kept = kept_artifact(writer, record, "a", self.artifact)
            record = attrs.evolve(record, artifacts=[kept])
        if self.points:
            writer.put_series(record, "loss", [(n, n) for n in range(self.points)])
        if self.log is not None:
            writer.append_log(record, self.log)
        writer.put(record)


@attrs.frozen
class Forget:
    run: int
    epoch: int

    def into(self, store, writer):
        writer.forget(run_id(self.run), self.epoch)


@attrs.frozen
class Derive:
    run: int
    value: float

    def into(self, store, writer):
        if run_id(self.run) in store.read():
            store.put_derived(run_id(self.run), "f", {"x": self.value})


HISTORIES = st.lists(
    st.one_of(
        st.builds(
            Put,
            RUNS,
            st.sampled_from(Status),
            SMALL,
            SMALL,
            st.none() | st.binary(max_size=3),
            SMALL,
            st.none() | st.sampled_from(["one", "two\nlines", ""]),
        ),
        st.builds(Forget, RUNS, SMALL),
        st.builds(Derive, RUNS, st.floats()),
    ),
    max_size=8,
)
LINES = st.lists(st.builds(LogLine, st.just(run_id()), SMALL, SMALL, st.just("run"), st.text("ab")))


def place(folder, name):
    config = FileStoreConfig(Path(folder) / name, commit_interval=0, durability="os")
    with config.connect():
        return config


def filled(config, history):
    with config.connect().scoped(EXPERIMENT) as store, store.writer("w") as writer:
        for each in history:
            each.into(store, writer)


def union(folder, name, *sources):
    config = place(folder, name)
    for source in sources:
        export_store(source, config)
    return config


def says(config):
    return said(config.open().scoped(EXPERIMENT)) if config.list_experiments() else {}


@settings(max_examples=25)
@given(HISTORIES, HISTORIES)
def test_two_stores_merge_to_the_same_whichever_comes_first(left, right):
    with tempfile.TemporaryDirectory() as folder:
        a, b = place(folder, "a"), place(folder, "b")
        filled(a, left)
        filled(b, right)
        merged = union(folder, "ab", a, b)
        assert says(merged) == says(union(folder, "ba", b, a))
        assert says(merged) == says(union(folder, "all", a, merged, b, a, merged))
        assert says(union(folder, "aa", a, a)) == says(a)


@settings(max_examples=25)
@given(HISTORIES)
def test_copies_that_went_different_ways_meet_as_one(history):
    with tempfile.TemporaryDirectory() as folder:
        a = place(folder, "a")
        filled(a, history)
        b = union(folder, "b", a)
        filled(a, history[:2])
        filled(b, history[2:4])
        assert says(union(folder, "c", a, b)) == says(union(folder, "d", b, a))


@given(LINES, st.integers(0, 8))
def test_the_rest_of_a_log_is_what_a_shorter_copy_lacks(lines, length):
    assert list(lacking(lines, lines[:length])) == lines[length:]


@given(LINES, LINES)
def test_every_line_is_there_as_often_as_in_the_log_that_has_it_most(lines, there):
    joined = [*there, *lacking(lines, there)]
    for line in {*lines, *there}:
        assert joined.count(line) == max(lines.count(line), there.count(line))
    assert list(lacking(lines, joined)) == []
