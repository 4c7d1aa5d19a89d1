"""What aggregates and comparisons tell, against scipy and statsmodels."""

from __future__ import annotations

import itertools
import math
import warnings

import pytest
from hypothesis import given, settings, strategies as st

from metalab.errors import AggregateWarning
from metalab.records import RunRecord
from metalab.results import Results
from metalab.store import FileStore
from metalab.store.query.bootstrap import Bootstrap, interval_of, resampled_means
from metalab.store.query.interval import Sample

np = pytest.importorskip("numpy")
stats = pytest.importorskip("scipy.stats")
weightstats = pytest.importorskip("statsmodels.stats.weightstats")

# On a grid, so that a reference in plain floats does not itself lose digits by cancelling.
NUMBERS = st.integers(-10_000, 10_000).map(lambda number: number / 64)
SAMPLES = st.lists(NUMBERS, min_size=3, max_size=40).filter(lambda sample: len(set(sample)) > 1)
FEW = Bootstrap(resamples=499)


def near(value, scale=0.0):
    return pytest.approx(value, rel=1e-12, abs=1e-12 * scale)


@given(SAMPLES)
def test_mean_deviation_and_interval_are_those_of_scipy_and_statsmodels(sample):
    told, scale = Sample.of(sample), max(map(abs, sample))
    assert told.mean == near(np.mean(sample), scale)
    assert told.sd == near(np.std(sample, ddof=1), scale)
    by_scipy = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
    assert (told.low, told.high) == near(tuple(by_scipy), scale)
    by_statsmodels = weightstats.DescrStatsW(sample).tconfint_mean(0.05)
    assert (told.low, told.high) == near(tuple(by_statsmodels), scale)


@settings(max_examples=40, deadline=None)
@given(SAMPLES)
def test_a_bootstrap_interval_is_the_one_scipy_makes_of_the_same_resamples(sample):
    drawn = np.array(list(resampled_means(sample, FEW)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy's, of its few first resamples
        given_ = stats.bootstrap((sample,), np.mean, n_resamples=2, rng=0)
        given_.bootstrap_distribution = drawn
        expected = stats.bootstrap(
            (sample,), np.mean, n_resamples=0, bootstrap_result=given_, method="BCa"
        ).confidence_interval
    if not all(map(math.isfinite, expected)):  # beyond every resample, scipy has none
        return
    allowed = 1e-12 * max(map(abs, sample))
    assert interval_of(sample, FEW) == pytest.approx(tuple(expected), rel=1e-12, abs=allowed)


def test_a_bootstrap_interval_of_many_resamples_is_near_scipys_own():
    sample = np.random.default_rng(3).exponential(size=60).tolist()
    ours = interval_of(sample, Bootstrap())
    theirs = stats.bootstrap((sample,), np.mean, n_resamples=9999, rng=1).confidence_interval
    assert ours == pytest.approx(tuple(theirs), abs=0.1 * np.std(sample) / math.sqrt(60))


@given(SAMPLES, st.randoms())
@settings(max_examples=30, deadline=None)
def test_a_bootstrap_interval_does_not_depend_on_the_order(sample, random):
    mixed = list(sample)
    random.shuffle(mixed)
    assert interval_of(mixed, FEW) == interval_of(sample, FEW)


def test_a_bootstrap_interval_is_the_same_everywhere_and_another_for_another_seed():
    sample = [0.5, 0.75, 0.25, 1.0, 0.125]
    assert interval_of(sample, Bootstrap(999)) == interval_of(sample, Bootstrap(999))
    assert interval_of(sample, Bootstrap(999)) != interval_of(sample, Bootstrap(999, seed=1))


def test_places_that_are_kept_are_those_that_are_drawn_at_once(monkeypatch):
    sample = [0.5, 0.75, 0.25, 1.0]
    kept = list(resampled_means(sample, FEW))
    monkeypatch.setattr("metalab.store.query.bootstrap._KEPT", 0)
    assert list(resampled_means(sample, FEW)) == kept


@pytest.mark.parametrize("how", [interval_of, None])
def test_what_too_few_or_infinite_numbers_do_not_define(how):
    def ends(values):
        if how is not None:
            return how(values, FEW)
        told = Sample.of(values)
        return told.low, told.high

    assert ends([]) == (None, None)
    assert ends([1.0]) == (None, None)
    assert ends([2.5, 2.5, 2.5]) == (2.5, 2.5)
    assert all(map(math.isnan, ends([1.0, math.inf])))
    low, high = ends([1.0, 2.0])
    assert low <= 1.5 <= high


def test_a_huge_offset_takes_no_digits_from_the_deviation():
    offset = 1e16
    told = Sample.of([offset + 2, offset + 4, offset + 6])
    assert (told.mean, told.sd) == (offset + 4, 2.0)
    low, high = interval_of([offset + 2, offset + 4, offset + 6], FEW)
    assert offset + 2 <= low <= offset + 4 <= high <= offset + 6


def _stored(path, metrics, status=RunRecord.success):
    """Results of runs with these metrics: settings a and b, one replicate after another."""
    store = FileStore(path).scoped("e:1")
    with store.writer("abcdef") as writer:
        for place, (setting, replicate, values) in enumerate(metrics):
            writer.put(
                status(
                    run_id=f"{place:032x}",
                    experiment_id="e:1",
                    metrics=values,
                    params_resolved={"setting": setting},
                    replicate=replicate,
                    index=place,
                )
            )
    return Results.from_store(store)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=20))
def test_a_comparison_is_the_paired_test_of_scipy_and_statsmodels(tmp_path_factory, pairs):
    differences = [a - b for a, b in pairs]
    if len(set(differences)) == 1:
        return
    runs = [
        (setting, replicate, {"y": pair[side]})
        for side, setting in enumerate("ab")
        for replicate, pair in enumerate(pairs)
    ]
    made = _stored(tmp_path_factory.mktemp("s"), runs).compare(
        {"setting": "a"}, {"setting": "b"}, "y"
    )
    one, other = zip(*pairs, strict=True)
    scale = max(map(abs, (*one, *other)))
    expected = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert (made.low, made.high) == near(tuple(expected), scale)
    described = weightstats.DescrStatsW(differences)
    assert made.difference == near(described.mean, scale)
    assert made.effect == pytest.approx(
        np.mean(differences) / np.std(differences, ddof=1), rel=1e-9, abs=1e-12
    )


def test_groups_have_intervals_by_bootstrap(tmp_path):
    values = [0.5, 0.75, 0.25, 1.0, 0.125, 0.375]
    runs = [("a", i, {"y": v, "z": v * 2}) for i, v in enumerate(values)]
    runs += [("b", i, {"y": 1.5, "z": -v}) for i, v in enumerate(values)]
    results = _stored(tmp_path, runs)
    plain = results.aggregate()
    groups = results.aggregate(interval="bootstrap", resamples=499)
    assert groups.columns.keys() == plain.columns.keys()
    rows = list(groups.rows())
    assert (rows[0]["y.low"], rows[0]["y.high"]) == interval_of(values, FEW)
    assert (rows[1]["z.low"], rows[1]["z.high"]) == interval_of([-v for v in values], FEW)
    assert (rows[1]["y.low"], rows[1]["y.high"]) == (1.5, 1.5)
    # Beside others, in another order, or alone, a group has the same interval.
    alone = results.filter(setting="b").aggregate(interval="bootstrap", resamples=499)
    assert next(iter(alone.rows()))["z.low"] == rows[1]["z.low"]
    assert {k: v for k, v in rows[0].items() if k[-4:] not in {".low", "high"}} == {
        k: v for k, v in next(iter(plain.rows())).items() if k[-4:] not in {".low", "high"}
    }


def test_doubts_stay_with_a_bootstrap_and_what_is_no_number_is_left_out(tmp_path):
    numbers = [1.0, math.nan, None, 2**60 + 1, 3.0, "text"]
    results = _stored(tmp_path, [("a", i, {"y": v}) for i, v in enumerate(numbers)])
    with pytest.warns(AggregateWarning, match="3 of 6"):
        groups = results.aggregate("y", interval="bootstrap", resamples=499)
    assert groups.columns["y.n"] == [3]
    expected = interval_of([1.0, float(2**60 + 1), 3.0], FEW)
    assert (groups.columns["y.low"][0], groups.columns["y.high"][0]) == expected


def test_an_unknown_interval_and_too_few_resamples_are_refused(tmp_path):
    results = _stored(tmp_path, [("a", 0, {"y": 1.0})])
    with pytest.raises(ValueError, match="neither 't' nor 'bootstrap'"):
        results.aggregate(interval="z")
    with pytest.raises(ValueError, match="resamples=10"):
        results.aggregate(interval="bootstrap", resamples=10)


def test_intervals_hold_the_true_mean_about_as_often_as_they_say():
    random = np.random.default_rng(11)
    samples = [random.normal(size=20).tolist() for _ in itertools.repeat(None, 200)]
    for ends in (lambda s: interval_of(s, FEW), lambda s: (Sample.of(s).low, Sample.of(s).high)):
        held = sum(low <= 0 <= high for low, high in map(ends, samples))
        assert 0.87 <= held / len(samples) <= 0.99
