"""The column cache: frames are the same with it, without it, and whatever became of its files."""

from __future__ import annotations

import math
import os
import random
from binascii import crc32
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import metalab
from core.store_tools import EXPERIMENT, made, python, run_id, segments, store_at
from metalab.records import Status
from metalab.results.cached import building, reading
from metalab.results.cached.building import built
from metalab.results.cached.column import Column
from metalab.results.cached.packing import Packed
from metalab.results.columns import Columns
from metalab.store import export_store
from metalab.store.file import cache, disk, runlog
from metalab.testing.faults import Faulty
from strategies import same, values

MIXED = st.one_of(
    st.sampled_from([0, 0.0, -0.0, 1, 1.0, True, "1", None, math.nan, math.inf, 2**60, 2**70]),
    values(),
)
KINDS = st.sampled_from(
    [
        st.floats(),
        st.floats() | st.none(),
        st.sampled_from([0.1, -0.0, 0.0]),
        st.integers(-(2**63), 2**63 - 1),
        st.integers(-5, 5) | st.none(),
        st.integers(2**53, 2**53 + 3) | st.none(),
        st.integers(2**62, 2**66),
        st.booleans(),
        st.booleans() | st.none(),
        st.sampled_from(["adam", "sgd", "", "ünïcode \u2028", None]),
        st.text(),
        st.sampled_from([1, 0.1, True, "1", None]),
        st.lists(st.integers(), max_size=2),
        MIXED,
    ]
)
ALL = Columns()
NAMES = st.sampled_from(["x", "y", "status", "param_x", "a b", 'quo"te', "$tag", "index"])


@st.composite
def sweeps(draw):
    """Runs in a few segments: their params, metrics, statuses, indices and tags."""
    given_params = draw(st.dictionaries(NAMES, KINDS, max_size=3))
    given_metrics = draw(st.dictionaries(NAMES, KINDS, max_size=3))
    rows = []
    for number in range(draw(st.integers(1, 12))):
        params = {name: draw(kind) for name, kind in given_params.items()}
        metrics = {name: draw(kind) for name, kind in given_metrics.items()}
        if draw(st.integers(0, 5)) == 0:
            metrics = {}
        rows.append(
            made(
                number,
                draw(st.sampled_from([Status.SUCCESS, Status.FAILED, Status.RUNNING])),
                params_resolved=params,
                metrics=metrics,
                index=draw(st.integers(0, 15)),
                seed=draw(st.sampled_from([1, 2**63, None])),
                replicate=draw(st.sampled_from([0, 1, None])),
                tags=draw(st.sampled_from([[], ["a"], ["b", "a"]])),
            )
        )
    shares = [draw(st.integers(0, 2)) for _ in rows]
    return [[row for row, share in zip(rows, shares, strict=True) if share == n] for n in range(3)]


def write(store, *parts):
    for number, records in enumerate(parts):
        with store.writer("launch", str(number)) as writer:
            for record in records:
                writer.put(record)


@contextmanager
def written(tmp_path_factory, parts):
    """Have a store with runs, each segment of which has a cache, for one example."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runlog, "CACHED", 1)
        store = store_at(tmp_path_factory.mktemp("store"))
        write(store, *parts)
        yield store, patch


def uncached(store, monkeypatch, make):
    with monkeypatch.context() as patch:
        patch.setattr(runlog, "CACHED", 10**9)
        return make(metalab.load_results(store))


@pytest.fixture
def small(monkeypatch):
    """Segments of few runs have a cache as well."""
    monkeypatch.setattr(runlog, "CACHED", 1)


@pytest.fixture
def store(tmp_path, small):
    return store_at(tmp_path / "store")


def filled(store, runs=40):
    write(store, *([made(n, index=n) for n in range(start, runs, 2)] for start in (0, 1)))
    return store


def files(store):
    return sorted((store.get_working_directory() / "cache").glob("*"))


def frame_of(store, **options):
    return metalab.load_results(store).to_dataframe(**options)


def assert_same_frames(one, other):
    """Compare frames exactly; pandas itself cannot compare every object."""
    assert list(one) == list(other)
    assert one.index.equals(other.index)
    assert dict(one.dtypes) == dict(other.dtypes)
    for name in one:
        if one[name].dtype == object:
            assert_same_values(one[name], other[name], name)
        else:
            pd.testing.assert_series_equal(one[name], other[name], check_exact=True)


def assert_same_values(one, other, name):
    assert len(one) == len(other)
    assert list(map(type, one)) == list(map(type, other)), name
    assert all(map(same, one, other)), name


def assert_same_columns(one, other):
    assert list(one) == list(other)
    for name in one:
        assert_same_values(one[name], other[name], name)


class TestSameFrames:
    @given(sweeps())
    @settings(deadline=None)
    def test_built_kept_and_decoded_frames_are_equal(self, tmp_path_factory, parts):
        with written(tmp_path_factory, parts) as (store, patch):
            expected = uncached(store, patch, lambda results: results.to_dataframe())
            for _ in range(2):
                assert_same_frames(frame_of(store), expected)
            columns = list(expected)[::2]
            assert_same_frames(frame_of(store, columns=columns), expected[columns])
            for options in ({"include_record": False}, {"include_metrics": False}):
                expected = uncached(store, patch, lambda r, o=options: r.to_dataframe(**o))
                assert_same_frames(frame_of(store, **options), expected)

    @given(sweeps())
    @settings(deadline=None)
    def test_values_come_back_with_their_types(self, tmp_path_factory, parts):
        with written(tmp_path_factory, parts) as (store, patch):
            expected = uncached(store, patch, lambda results: results._rows.columns(ALL))
            for _ in range(2):
                assert_same_columns(metalab.load_results(store)._rows.columns(ALL), expected)

    @given(sweeps(), st.randoms())
    @settings(deadline=None)
    def test_chosen_runs_have_the_columns_that_they_have(self, tmp_path_factory, parts, rng):
        with written(tmp_path_factory, parts) as (store, patch):
            places = list(range(len(metalab.load_results(store))))
            rng.shuffle(places)
            places = places[: rng.randint(0, len(places))]

            def chosen(results):
                return results._selected(places).to_dataframe()

            expected = uncached(store, patch, chosen)
            frame_of(store)
            assert_same_frames(chosen(metalab.load_results(store)), expected)

    def test_the_frame_is_made_of_the_cache(self, store, monkeypatch):
        filled(store)
        expected = frame_of(store)
        assert len(files(store)) == 2
        monkeypatch.setattr(reading, "built", lambda *_: pytest.fail("it was decoded again"))
        results = metalab.load_results(store)
        assert isinstance(results._rows.columns(ALL)["score"], Column)
        assert_same_frames(results.to_dataframe(), expected)

    def test_a_frame_can_be_written_to(self, store):
        frame_of(filled(store))
        frame = frame_of(store)
        frame.loc[0, "score"] = -1.0
        frame["param_x"] += 1
        assert frame_of(store)["score"][0] == 0.5

    def test_a_csv_file_is_the_same(self, store, monkeypatch, tmp_path):
        filled(store)
        expected = uncached(store, monkeypatch, lambda r: r.to_csv(tmp_path / "a.csv").read_text())
        frame_of(store)
        assert metalab.load_results(store).to_csv(tmp_path / "b.csv").read_text() == expected


class TestFiles:
    def test_few_runs_and_a_growing_segment_have_none(self, tmp_path, monkeypatch):
        store = filled(store_at(tmp_path / "store"))
        frame_of(store)
        assert files(store) == []
        monkeypatch.setattr(runlog, "CACHED", 1)
        store = store_at(tmp_path / "other")
        with store.writer("launch") as writer:
            writer.put(made(0))
            assert frame_of(store)["score"].tolist() == [0.5]
            assert files(store) == []
            writer.put(made(1))
            assert frame_of(store)["score"].tolist() == [0.5, 1.5]
        assert len(frame_of(store)) == 2
        assert len(files(store)) == 1

    def test_a_few_columns_build_none(self, store):
        frame_of(filled(store), columns=["score"])
        assert files(store) == []

    def test_they_may_be_deleted_at_any_moment(self, store):
        results = metalab.load_results(filled(store))
        expected = results.to_dataframe()
        for path in files(store):
            path.unlink()
        assert_same_frames(results.to_dataframe(), expected)
        assert len(files(store)) == 2

    def test_damage_of_any_kind_is_noticed(self, store):
        expected = frame_of(filled(store))
        rng = random.Random(1)
        path = files(store)[0]
        whole = path.read_bytes()
        damaged = [b"", whole[:10], whole[:100], whole[:-1], whole + b"\0", bytes(len(whole))]
        for _ in range(60):
            changed = bytearray(whole)
            changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            damaged.append(bytes(changed))
        for content in damaged:
            path.write_bytes(content)
            assert_same_frames(frame_of(store), expected)
        path.write_bytes(damaged[1])
        frame_of(store)
        assert path.read_bytes() == whole

    def test_a_kind_that_another_version_writes_is_made_anew(self, store, monkeypatch):
        expected = frame_of(filled(store))
        with monkeypatch.context() as patch:
            patch.setattr(building, "packed", lambda values: Packed("later", [b"?" * len(values)]))
            for path in files(store):
                path.unlink()
            for piece in metalab.load_results(store)._rows._log.pieces():
                piece.keep.save([built(piece, piece.keep.key)])
        assert_same_frames(frame_of(store), expected)

    def test_the_file_of_another_segment_is_not_believed(self, store):
        expected = frame_of(filled(store))
        one, other = files(store)
        one.write_bytes(other.read_bytes())
        assert_same_frames(frame_of(store), expected)

    def test_a_segment_that_was_edited_counts(self, store):
        """Whoever mends a line, its checksum, the file's size and time gets what it says now."""
        frame_of(filled(store))
        path = segments(store)[0]
        times = path.stat()
        lines = path.read_bytes().split(b"\n")
        place = next(n for n, line in enumerate(lines) if b'"score":2.5' in line)
        body = lines[place].replace(b'"score":2.5', b'"score":7.5')[: -len(b',"crc":"01234567"}')]
        lines[place] = body + b',"crc":"%08x"}' % crc32(body)
        path.write_bytes(b"\n".join(lines))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert frame_of(store_at(Path(store.config.root)))["score"][2] == 7.5

    def test_what_was_executed_again_or_forgotten_counts(self, store):
        frame_of(filled(store))
        write(store, [made(3, index=3, metrics={"score": -1.0}, attempt=2)])
        store.delete_run(run_id(4))
        frame = frame_of(store)
        assert len(frame) == 39
        assert run_id(4) not in set(frame["run_id"])
        assert frame.set_index("run_id")["score"][run_id(3)] == -1.0
        assert_same_frames(frame_of(store), frame)

    def test_a_compaction_removes_those_of_what_it_replaced(self, store):
        expected = frame_of(filled(store))
        store.compact()
        assert files(store) == []
        assert_same_frames(frame_of(store), expected)
        assert [path.name for path in files(store)] == [
            f"{path.name}.columns" for path in segments(store)
        ]

    def test_a_compressed_segment_has_one(self, store):
        expected = frame_of(filled(store))
        store.compact(gzip=True)
        for _ in range(2):
            assert_same_frames(frame_of(store), expected)
        assert [path.name.endswith(".jsonl.gz.columns") for path in files(store)] == [True]

    def test_they_are_not_copied_and_no_flaw(self, store, tmp_path):
        frame_of(filled(store))
        export_store(store, str(tmp_path / "copy"))
        assert not list((tmp_path / "copy").glob("*/cache"))
        assert list(store.inspect().flaws) == []

    def test_a_full_disk_costs_the_cache_alone(self, store, monkeypatch):
        filled(store)
        expected = uncached(store, monkeypatch, lambda results: results.to_dataframe())
        monkeypatch.setattr(cache.disk, "temporary", Faulty(disk.temporary, fail=range(1, 9)))
        assert_same_frames(frame_of(store), expected)
        assert files(store) == []

    def test_a_folder_that_cannot_be_written_to_is_read(self, store, monkeypatch):
        """Also root, whom no permission stops, cannot make a folder where there is a file."""
        (filled(store).get_working_directory() / "cache").write_text("in the way")
        expected = uncached(store, monkeypatch, lambda results: results.to_dataframe())
        assert_same_frames(frame_of(store), expected)

    def test_many_may_build_at_once(self, store, monkeypatch):
        filled(store)
        expected = uncached(store, monkeypatch, lambda results: results.to_dataframe())
        script = f"""
import sys, metalab
from metalab.store.file import runlog
runlog.CACHED = 1
for _ in range(3):
    results = metalab.load_results(sys.argv[1], {EXPERIMENT!r})
    assert results.to_dataframe()["score"].sum() == float(sys.argv[2])
"""
        total = str(expected["score"].sum())
        processes = [python(script, store.config.root, total) for _ in range(4)]
        assert [process.wait(60) for process in processes] == [0] * 4
        assert not list((store.get_working_directory() / "cache").glob(".*"))

    def test_names_that_are_tagged_in_json_are_decoded(self, store):
        write(store, [made(n, index=n, params_resolved={"$x": n}) for n in range(5)])
        for _ in range(2):
            assert frame_of(store)["param_$x"].tolist() == [0, 1, 2, 3, 4]
        assert files(store) == []


def test_a_table_says_for_which_lines_it_was_made(store):
    filled(store)
    pieces = list(metalab.load_results(store)._rows._log.pieces())
    keys = {piece.keep.key for piece in pieces}
    assert len(keys) == len(pieces) == 2
    data = built(pieces[0], pieces[0].keep.key)
    for piece in pieces:
        found = reading.table_in(memoryview(data), piece.keep.key)
        assert (found is None) == (piece is pieces[1])
