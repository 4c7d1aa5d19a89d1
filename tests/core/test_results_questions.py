"""Questions about results: where something holds, in which order, the best, and groups."""

from __future__ import annotations

import math
import statistics
import warnings

import attrs
import pytest
from hypothesis import given, settings, strategies as st

import metalab
from core.store_tools import made
from metalab.errors import AggregateWarning, QueryError
from metalab.records import Provenance
from metalab.results import Results
from studies import experiment, record, run

# Quantiles of Student's distribution, 0.975, from the tables of Abramowitz and Stegun.
T_1, T_2 = 12.706204736, 4.302652730


@pytest.fixture
def results(store):
    return run(experiment(), store)


@pytest.fixture(params=["loaded", "chosen", "held"])
def study(request, store, results):
    """The same runs as all of a store, as some of it, and as records in memory."""
    loaded = metalab.load_results(store)
    if request.param == "chosen":
        return loaded[:]
    return loaded if request.param == "loaded" else Results(results.store, loaded.records)


class TestWhere:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("lr < 5", 8),
            ("status = failed", 4),
            ("lr < 5 and model = svm", 4),
            ("metrics.loss is missing", 4),
            ("loss = 2 or lr = 9", 8),
            ("tags has paper", 12),
            ("replicate = 1 and not lr = 9", 4),
            ("lr > 100", 0),
        ],
    )
    def test_runs_are_chosen_by_a_filter_in_the_order_of_the_plan(self, study, text, expected):
        found = study.where(text)
        assert len(found) == expected
        assert [r.run_id for r in found] == [r.run_id for r in study if r.run_id in found]

    def test_a_choice_is_chosen_from(self, study):
        assert len(study.where("lr < 5").where("model = tree").filter(replicate=0)) == 2

    @pytest.mark.parametrize(
        ("text", "told"), [("lrr < 1", "there is"), ("lr <", "expected"), ("who ==", "expected")]
    )
    def test_what_means_nothing_is_refused(self, study, text, told):
        with pytest.raises(QueryError, match=told):
            study.where(text)


class TestSort:
    def test_ties_stand_in_the_order_of_the_plan_and_what_is_missing_is_last(self, study):
        shown = [
            (r.metrics.get("loss"), r.params["model"], r.replicate) for r in study.sort("-loss")
        ]
        assert shown[:4] == [(2.0, "svm", 0), (2.0, "svm", 1), (2.0, "tree", 0), (2.0, "tree", 1)]
        assert shown[4][0] == 1.0
        assert [loss for loss, _, _ in shown[8:]] == [None] * 4

    def test_by_several(self, study):
        shown = [(r.params["model"], r.params["lr"]) for r in study.sort("-model, lr")]
        assert shown[:4] == [("tree", 0.5), ("tree", 0.5), ("tree", 1), ("tree", 1)]
        again = study.sort(["-params.model", "lr"])
        assert [r.run_id for r in again] == [r.run_id for r in study.sort("-model, lr")]


class TestBest:
    def test_the_first_of_equals_is_best(self, study):
        assert (study.best("loss").params["lr"], study.best("loss").replicate) == (1, 0)
        assert study.best("loss", "min").params["lr"] == 0.5
        assert study.best("metrics.loss").run_id == study.best("loss").run_id

    def test_of_a_choice(self, study):
        assert study.where("lr < 1").best("loss").metrics["loss"] == 1.0

    def test_neither_nan_nor_a_text_nor_a_failed_run_is_best(self, store):
        found = held(
            *[made(n, index=n, metrics={"x": x}) for n, x in enumerate([math.nan, "z", 3, True])],
            attrs.evolve(record("f"), status="failed", metrics={"x": 9}),
        )
        assert found.best("x").metrics["x"] == 3
        assert found.best("x", "min").metrics["x"] == 3

    def test_what_no_run_has_is_refused(self, study):
        with pytest.raises(KeyError, match=r"'who'.*loss"):
            study.best("who")
        with pytest.raises(KeyError, match="did you mean 'loss'"):
            study.best("los")
        with pytest.raises(ValueError, match="'max' or 'min'"):
            study.best("loss", "least")

    def test_a_metric_is_meant_even_if_a_param_has_the_name(self):
        runs = [made(n, index=n, params_resolved={"x": -n}, metrics={"x": n}) for n in range(3)]
        assert held(*runs).best("x").metrics["x"] == 2


def held(*records):
    return Results(None, records)


def sweep(values, **fields):
    """Records of one param, each with a metric of two or more replicates; None failed."""
    records = []
    for place, (setting, numbers) in enumerate(values.items()):
        for replicate, number in enumerate(numbers):
            index = 100 * place + replicate
            each = made(index, index=index, replicate=replicate, params_resolved={"a": setting})
            changes = {"metrics": {"x": number}, **fields}
            if number is None:
                changes = {"status": metalab.Status.FAILED, "metrics": {"x": 1e6}}
            records.append(attrs.evolve(each, **changes))
    return held(*records)


class TestAggregate:
    def test_replicates_of_a_setting_are_taken_together(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            groups = sweep({"one": [1, 2, 4], "two": [5, 5, 5]}).aggregate()
        one, two = groups.rows()
        mean, sd = 7 / 3, statistics.stdev([1, 2, 4])
        half = T_2 * sd / math.sqrt(3)
        assert {name: one[name] for name in ("a", "runs", "succeeded", "failed", "x.n")} == {
            "a": "one", "runs": 3, "succeeded": 3, "failed": 0, "x.n": 3,
        }  # fmt: skip
        assert one["x.mean"] == pytest.approx(mean, rel=1e-12)
        assert one["x.sd"] == pytest.approx(sd, rel=1e-12)
        assert (one["x.low"], one["x.high"]) == pytest.approx((mean - half, mean + half), rel=1e-8)
        assert (one["x.min"], one["x.max"]) == (1, 4)
        assert (two["x.mean"], two["x.sd"], two["x.low"]) == (5, 0, 5)
        assert len(groups) == 2
        assert "x.mean" in repr(groups).splitlines()[0]

    def test_failed_runs_count_and_give_no_numbers(self):
        with pytest.warns(AggregateWarning, match="not balanced: 1 of 2 .* 1; 1 run fai"):
            groups = sweep({"one": [1, None], "two": [5, 7]}).aggregate("x")
        one, two = groups.rows()
        assert (one["runs"], one["succeeded"], one["failed"], one["x.n"]) == (2, 1, 1, 1)
        assert (one["x.mean"], one["x.sd"], one["x.low"]) == (1, None, None)
        assert two["x.high"] == pytest.approx(6 + T_1 * math.sqrt(2) / math.sqrt(2), rel=1e-8)

    def test_a_setting_of_which_all_failed_stays_in_the_table(self):
        with pytest.warns(AggregateWarning, match="the least 0"):
            groups = sweep({"one": [None, None], "two": [5, 7]}).aggregate()
        one, _ = groups.rows()
        assert (one["a"], one["failed"], one["x.n"], one["x.mean"]) == ("one", 2, 0, None)

    def test_nan_and_what_is_missing_are_said(self):
        with pytest.warns(AggregateWarning, match="x is NaN, no number or missing in 1 of 4"):
            groups = sweep({"one": [1, math.nan], "two": [5, 7]}).aggregate()
        assert next(groups.rows())["x.n"] == 1

    def test_versions_of_the_code_taken_together_are_said(self):
        old, new = (Provenance(code_hash=each) for each in ("old", "new"))
        first = sweep({"one": [1, 2]}, provenance=old).records
        second = [
            attrs.evolve(r, run_id="f" * 31 + "e", provenance=new, replicate=2) for r in first[:1]
        ]
        with pytest.warns(AggregateWarning, match="2 versions of the code"):
            held(*first, *second).aggregate()

    def test_by_some_params_over_others(self, study):
        groups = study.where("lr < 5").aggregate("loss", over=["replicate", "model"])
        assert [(row["lr"], row["runs"], row["loss.mean"]) for row in groups.rows()] == [
            (0.5, 4, 1.0),
            (1, 4, 2.0),
        ]
        assert "model" not in groups.columns
        again = study.where("lr < 5").aggregate("loss", by="lr")
        assert again == groups

    def test_metrics_that_are_no_numbers_are_left_out_unless_they_are_asked_for(self, study):
        with pytest.warns(AggregateWarning):
            assert "who.n" not in study.aggregate().columns
        with pytest.raises(KeyError, match=r"'who'.*loss"):
            study.aggregate("who")
        with pytest.raises(KeyError, match=r"'modle'.*did you mean 'model'"):
            study.aggregate(over="modle")

    def test_names_that_meet_are_told_apart(self):
        runs = [
            made(n, index=n, params_resolved={"runs": n, "x": n}, metrics={"x": 2 * n})
            for n in range(2)
        ]
        groups = held(*runs).aggregate()
        assert list(groups.columns)[:2] == ["params.runs", "x"]
        assert groups.columns["x.mean"] == [0, 2]

    def test_nothing_gives_nothing(self):
        groups = held().aggregate()
        assert len(groups) == 0
        assert list(groups.columns) == ["runs", "succeeded", "failed"]

    def test_as_a_frame(self, study):
        pytest.importorskip("pandas")
        frame = study.where("lr < 5").aggregate().to_dataframe()
        assert list(frame["loss.mean"]) == [1.0, 1.0, 2.0, 2.0]
        assert frame["lr"].dtype == "float64"

    @settings(max_examples=50, deadline=None)
    @given(
        st.dictionaries(
            st.integers(0, 5), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6), min_size=1
        )
    )
    def test_it_gives_what_scipy_does(self, values):
        scipy = pytest.importorskip("scipy.stats")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            groups = sweep(values).aggregate()
        for row, numbers in zip(groups.rows(), values.values(), strict=True):
            mean, error = statistics.fmean(numbers), scipy.sem(numbers)
            assert row["x.mean"] == pytest.approx(mean, rel=1e-9, abs=1e-9)
            if error > 1e-6:
                low, high = scipy.t.interval(0.95, len(numbers) - 1, mean, error)
                assert (row["x.low"], row["x.high"]) == pytest.approx((low, high), rel=1e-7)
