"""What these points are, beyond what the contract asks of any."""

from __future__ import annotations

from collections import Counter
from math import log10

import pytest
from scipy.stats import qmc

import metalab
from metalab.params import choice, loguniform, randint, source_from_manifest, uniform
from metalab_sobol import sobol
from metalab_sobol.sequence import LARGEST, _shift, point


def unshifted(index, dimensions, seed=0):
    shift = _shift(dimensions, seed)
    digits = [int(each * LARGEST) for each in point(index, dimensions, seed)]
    return [(one ^ other) / LARGEST for one, other in zip(digits, shift, strict=True)]


def test_but_for_the_shift_the_points_are_scipy_s():
    expected = qmc.Sobol(3, scramble=False).random(64).tolist()
    assert [unshifted(index, 3) for index in range(64)] == expected


def test_every_interval_of_a_power_of_two_has_one_point_whatever_the_seed():
    for seed in range(5):
        points = [point(index, 4, seed) for index in range(64)]
        for dimension in range(4):
            assert sorted(int(each[dimension] * 64) for each in points) == list(range(64))


def test_points_are_spread_more_evenly_than_at_random():
    points = [point(index, 2, 1) for index in range(256)]
    drawn = metalab.random({"a": uniform(0, 1), "b": uniform(0, 1)}, 256, 1)
    at_random = [list(case.params.values()) for case in drawn]
    assert qmc.discrepancy(points) < qmc.discrepancy(at_random) / 4


def test_a_share_of_the_points_is_a_share_of_each_distribution():
    words = choice(list("abcd"))
    space = {"c": words, "i": randint(1, 8), "l": loguniform(1e-4, 1), "u": uniform(2, 4)}
    params = [case.params for case in sobol(space, 64, seed=3)]
    assert Counter(each["c"] for each in params) == dict.fromkeys("abcd", 16)
    assert Counter(each["i"] for each in params) == dict.fromkeys(range(1, 9), 8)
    assert Counter(int(log10(each["l"]) // 1) for each in params) == dict.fromkeys(range(-4, 0), 16)
    assert Counter(int(each["u"]) for each in params) == {2: 32, 3: 32}


def test_more_points_and_a_later_name_leave_the_points_as_they_are():
    few = sobol({"x": uniform(0, 1)}, 10, seed=5)
    many = sobol({"x": uniform(0, 1), "y": uniform(0, 1)}, 1000, seed=5)
    assert [case.params["x"] for case in few] == [many[i].params["x"] for i in range(10)]


@pytest.mark.parametrize(
    ("space", "points", "words"),
    [
        ({}, 4, "a dict of distributions"),
        ({"x": (0, 1)}, 4, r"space\['x'\] is \(0, 1\); it is one of uniform"),
        ({1: uniform(0, 1)}, 4, "the name 1"),
        ({"x": uniform(0, 1)}, 0, "from 1 to"),
        ({"x": uniform(0, 1)}, 4.0, "no whole number"),
    ],
)
def test_what_is_no_space_is_refused_in_words(space, points, words):
    with pytest.raises((TypeError, ValueError), match=words):
        sobol(space, points)


def test_an_option_without_a_description_makes_a_manifest_that_says_so():
    source = sobol({"x": choice([object(), 1])}, 4)
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        source_from_manifest(source.to_manifest_dict())


def test_an_experiment_runs_on_them_and_more_points_execute_only_what_is_new(tmp_path):
    @metalab.operation
    def loss(params):
        return {"loss": (params["x"] - 0.5) ** 2}

    def launched(points):
        experiment = metalab.Experiment(
            name="quasi",
            version="1",
            context=None,
            operation=loss,
            params=sobol({"x": uniform(0, 1)}, points, seed=1),
            seeds=metalab.seeds(base=1),
        )
        return metalab.run(experiment, tmp_path / "store", progress=False)

    assert len(launched(16).result().successful) == 16
    again = launched(32)
    assert (again.status.skipped, len(again.result().successful)) == (16, 32)
