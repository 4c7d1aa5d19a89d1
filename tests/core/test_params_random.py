"""Trials are drawn one by one: each depends on the seed and its number alone."""

from __future__ import annotations

import json
import math
import random as stdlib
import re
from pathlib import Path

import attrs
import pandas as pd
import pytest
from hypothesis import given, strategies as st

import metalab
from metalab.params import choice, loguniform, loguniform_int, randint, random, uniform
from metalab.params.distributions import _exp

GOLDENS = json.loads((Path(__file__).parent / "goldens" / "params.json").read_text())

SPACE = {
    "u": uniform(-1, 2),
    "l": loguniform(1e-5, 1e5),
    "i": loguniform_int(1, 1000),
    "r": randint(-3, 3),
    "c": choice(["a", "b", None, (1, 2)]),
}

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
seeds = st.integers(0, 2**64)


@attrs.frozen
class Dice:
    sides: int = 6

    def sample(self, rng):
        return rng.randint(1, self.sides)


class TestTrials:
    def test_they_are_the_committed_ones(self):
        source = random(SPACE, n_trials=len(GOLDENS), seed=7)
        assert [dict(c.params, c=repr(c.params["c"])) for c in source] == GOLDENS

    def test_each_is_reached_alone_and_in_any_order(self):
        source = random(SPACE, n_trials=20, seed=1)
        whole = list(source)
        assert [source[i] for i in reversed(range(20))] == whole[::-1]
        assert [c.params for c in random(SPACE, 20, 1)] == [c.params for c in whole]
        assert random(SPACE, n_trials=10**12, seed=1)[10**11].tags == ("trial_100000000000",)

    def test_more_trials_leave_the_first_ones_as_they_are(self):
        assert list(random(SPACE, 5, 3)) == list(random(SPACE, 50, 3)[:5])

    def test_the_order_of_the_space_does_not_matter(self):
        assert list(random(dict(reversed(SPACE.items())), 5, 3)) == list(random(SPACE, 5, 3))

    def test_the_tag_is_the_number_of_the_trial(self):
        assert [case.tags for case in random({"x": uniform(0, 1)}, 2, 0)] == [
            ("trial_0",),
            ("trial_1",),
        ]

    @given(st.integers(0, 100), st.integers(0, 50))
    def test_seeds_next_to_each_other_share_no_trials(self, seed, i):
        """Seeding with arithmetic on seed and number makes other seeds meet the same trials."""
        space = {"x": uniform(0, 1)}
        here = random(space, 2 * 10**9, seed)
        there = random(space, 2 * 10**9, seed + 1)
        assert here[i].params != there[i].params
        assert here[i + 1_000_000_007].params != there[i].params
        assert here[i + 1].params != there[i].params

    def test_any_object_with_sample_is_drawn_from(self):
        drawn = {case.params["d"] for case in random({"d": Dice()}, 200, 0)}
        assert drawn == {1, 2, 3, 4, 5, 6}

    def test_an_error_of_a_distribution_tells_the_param_and_the_trial(self):
        class Broken:
            def sample(self, rng):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught:
            random({"x": Broken()}, 3, 0)[2]
        assert caught.value.__notes__ == ["raised by space['x'] of random, at trial 2"]

    def test_a_drawn_option_is_a_copy(self):
        source = random({"x": choice([[1]])}, 2, 0)
        source[0].params["x"].append(2)
        assert source[0].params == source[1].params == {"x": [1]}

    @pytest.mark.parametrize(
        ("make", "error", "text"),
        [
            (lambda: random({"x": [1, 2]}, 1, 0), TypeError, "did you mean choice([1, 2])?"),
            (lambda: random({"x": (1, 2)}, 1, 0), TypeError, "did you mean choice([1, 2])?"),
            (lambda: random({"x": 3}, 1, 0), TypeError, "did you mean choice([3])?"),
            (lambda: random({"x": "cnn"}, 1, 0), TypeError, "did you mean choice(['cnn'])?"),
            (lambda: random({"x": Dice}, 1, 0), TypeError, "did you mean Dice(...)?"),
            (lambda: random([uniform(0, 1)], 1, 0), TypeError, "space is a dict"),
            (lambda: random({1: uniform(0, 1)}, 1, 0), TypeError, "the name 1 is of type int"),
            (lambda: random(SPACE, 0, 0), ValueError, "n_trials=0 gives no runs"),
            (lambda: random(SPACE, 1.5, 0), TypeError, "n_trials is a whole number"),
            (lambda: random(SPACE, 1, "a"), TypeError, "seed is a whole number"),
            (lambda: random(SPACE, 10**30, 0), ValueError, "more than can be indexed"),
            (
                lambda: random({"x": pd.DataFrame({"a": [1]})}, 1, 0),
                TypeError,
                "space['x'] is",  # it has a method called sample, which is another
            ),
        ],
    )
    def test_bad_input_is_refused_with_what_was_meant(self, make, error, text):
        with pytest.raises(error, match=re.escape(text)):
            make()

    def test_names_are_known_and_distinctness_is_not(self):
        source = random(SPACE, 2, 0)
        assert source.names == set(SPACE)
        assert not source.distinct


class TestDistributions:
    @given(finite, finite, seeds)
    def test_uniform_draws_within_its_bounds(self, a, b, seed):
        low, high = sorted((a, b))
        if math.isfinite(high - low):
            assert low <= uniform(low, high).sample(stdlib.Random(seed)) <= high

    @given(positive, positive, seeds)
    def test_loguniform_draws_within_its_bounds(self, a, b, seed):
        low, high = sorted((a, b))
        assert low <= loguniform(low, high).sample(stdlib.Random(seed)) <= high

    @given(st.integers(1, 10**300), st.integers(1, 10**300), seeds)
    def test_loguniform_int_draws_integers_within_its_bounds(self, a, b, seed):
        low, high = sorted((a, b))
        drawn = loguniform_int(low, high).sample(stdlib.Random(seed))
        assert type(drawn) is int
        assert low <= drawn <= high

    @given(st.integers(), st.integers(), seeds)
    def test_randint_draws_integers_within_its_bounds(self, a, b, seed):
        low, high = sorted((a, b))
        assert low <= randint(low, high).sample(stdlib.Random(seed)) <= high

    def test_integer_bounds_are_included(self):
        rng = stdlib.Random(0)
        assert {randint(1, 3).sample(rng) for _ in range(100)} == {1, 2, 3}
        assert {loguniform_int(1, 3).sample(rng) for _ in range(100)} == {1, 2, 3}

    def test_a_log_uniform_draw_has_as_many_values_in_each_decade(self):
        rng = stdlib.Random(0)
        drawn = [loguniform(1e-4, 1e4).sample(rng) for _ in range(8000)]
        decades = [math.floor(math.log10(value)) for value in drawn]
        assert all(850 < decades.count(decade) < 1150 for decade in range(-4, 4))

    @given(st.floats(-700, 709.78))
    def test_the_series_for_exp_is_as_good_as_the_c_library(self, x):
        assert math.isclose(_exp(x), math.exp(x), rel_tol=1e-15)

    @pytest.mark.parametrize(
        ("make", "error", "text"),
        [
            (lambda: uniform(5, 1), ValueError, "uniform(5.0, 1.0): low is above high"),
            (lambda: randint(5, 1), ValueError, "randint(5, 1): low is above high"),
            (lambda: loguniform(5, 1), ValueError, "low is above high"),
            (lambda: loguniform_int(5, 1), ValueError, "low is above high"),
            (lambda: loguniform(0, 1), ValueError, "a logarithm needs a low of more than 0"),
            (lambda: loguniform(-1, 1), ValueError, "a logarithm needs a low of more than 0"),
            (lambda: loguniform_int(0, 9), ValueError, "a logarithm needs a low of 1 or more"),
            (lambda: uniform(0, math.inf), TypeError, "high=inf is no finite number"),
            (lambda: uniform(math.nan, 1), TypeError, "low=nan is no finite number"),
            (lambda: uniform(-1.7e308, 1.7e308), ValueError, "the range is too wide"),
            (lambda: uniform("0", 1), TypeError, "low='0' is no finite number"),
            (lambda: uniform(0, True), TypeError, "high=True is no finite number"),
            (lambda: uniform([0], 1), TypeError, "low=[0] is no finite number"),
            (lambda: randint(1.5, 3), TypeError, "randint: low is a whole number"),
            (lambda: loguniform_int(1, 10**400), TypeError, "is no finite number"),
            (lambda: choice([]), ValueError, "choice: it has no values"),
            (lambda: choice("ab"), TypeError, "did you mean choice(['ab'])?"),
            (lambda: choice({"a"}), TypeError, "did you mean choice(sorted({'a'}))?"),
            (lambda: choice(3), TypeError, "did you mean choice([3])?"),
        ],
    )
    def test_bad_bounds_are_refused_at_once(self, make, error, text):
        with pytest.raises(error, match=re.escape(text)):
            make()


def test_the_factories_are_public():
    names = ("uniform", "loguniform", "loguniform_int", "randint", "choice", "random")
    assert all(callable(getattr(metalab, name)) for name in names)
