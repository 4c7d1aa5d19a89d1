"""Run ids: everything that tells runs apart is in them, and nothing else."""

from __future__ import annotations

import itertools
import json
import pickle
import re
from pathlib import Path

import attrs
import pytest
from hypothesis import given, strategies as st

from metalab.identity.canonical import fingerprint
from metalab.identity.runs import RunIdentity, seed_fingerprint

GOLDENS = json.loads((Path(__file__).parent / "goldens" / "identity.json").read_text())
IDENTITY = RunIdentity("demo", "1.0", "train", "c" * 32, 42)
POINT = "p" * 32


def run_id(identity=IDENTITY, point=POINT, replicate=0):
    return next(identity.run_ids(point, [replicate]))


class TestRunIds:
    def test_an_id_is_32_hex_digits(self):
        assert re.fullmatch("[0-9a-f]{32}", run_id())

    def test_ids_are_those_committed(self):
        found = {str(r): run_id(replicate=r) for r in (None, 0, 1, 2**40)}
        assert found == GOLDENS["run_ids"]

    @pytest.mark.parametrize(
        "change",
        [
            {"name": "demo2"},
            {"version": "2"},
            {"operation": "test"},
            {"context_fingerprint": "d" * 32},
            {"root_seed": 43},
            {"name": "demo1", "version": ".0"},
            {"name": "demo:1.0", "version": ""},
        ],
    )
    def test_each_part_of_the_identity_changes_the_id(self, change):
        assert run_id(attrs.evolve(IDENTITY, **change)) != run_id()

    def test_params_and_replicate_change_the_id(self):
        ids = [
            run_id(point=point, replicate=replicate)
            for point in (POINT, "q" * 32)
            for replicate in (None, 0, 1, 10)
        ]
        assert len(set(ids)) == 8

    def test_many_points_are_packed_as_each_alone(self):
        points, replicates = [POINT, "q" * 32], [None, 0, 17]
        one_by_one = [id_ for point in points for id_ in IDENTITY.run_ids(point, replicates)]
        assert [packed.hex() for packed in IDENTITY.pack(points, iter(replicates))] == one_by_one

    def test_no_replicate_and_replicate_zero_are_different_runs(self):
        assert run_id(replicate=None) != run_id(replicate=0)

    def test_replicates_together_get_the_ids_they_get_alone(self):
        together = list(IDENTITY.run_ids(POINT, [None, *range(20)]))
        assert together == [run_id(replicate=r) for r in [None, *range(20)]]

    @given(st.lists(st.text(), min_size=3, max_size=3), st.lists(st.text(), min_size=3, max_size=3))
    def test_texts_never_run_into_each_other(self, one, other):
        ids = [run_id(RunIdentity(*texts, "c", 1)) for texts in (one, other)]
        assert (ids[0] == ids[1]) == (one == other)

    def test_it_travels_to_other_processes(self):
        copy = pickle.loads(pickle.dumps(IDENTITY))
        assert copy == IDENTITY
        assert run_id(copy) == run_id()

    def test_a_hundred_thousand_runs_have_as_many_ids(self):
        ids = itertools.chain.from_iterable(
            IDENTITY.run_ids(fingerprint({"x": x}), range(100)) for x in range(1000)
        )
        assert len(set(ids)) == 100_000


class TestSeedFingerprint:
    def test_no_replicate_and_replicate_zero_differ(self):
        assert seed_fingerprint(1, None) != seed_fingerprint(1, 0)

    def test_fingerprints_are_those_committed(self):
        found = {seeds: seed_fingerprint(*eval(seeds)) for seeds in GOLDENS["seeds"]}
        assert found == GOLDENS["seeds"]
