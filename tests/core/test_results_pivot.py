"""Pivots: one metric with the values of some params down and of others across."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import textwrap
import warnings

import pytest

import metalab
from core.test_frames import held
from metalab.errors import AggregateWarning
from metalab.records import Provenance, RunRecord
from metalab.results import Results
from metalab.store import FileStore
from studies import experiment, run


def sweep(tmp_path, *more, models=("svm", "tree"), rates=(0.1, 1.0), replicates=2, **fields):
    rows = [
        {
            "params_resolved": {"model": model, "lr": lr, **fields},
            "metrics": {"acc": 10 * place + lr + replicate},
        }
        for place, model in enumerate(models)
        for lr in rates
        for replicate in range(replicates)
    ]
    return held(tmp_path, *rows, *more)


class TestCells:
    def test_are_means_over_replicates_in_the_order_of_the_plan(self, tmp_path):
        made = sweep(tmp_path, rates=(1.0, 0.5)).pivot("lr", "model", "acc")
        assert (made.down, made.across) == (((1.0,), (0.5,)), (("svm",), ("tree",)))
        assert made.cells == ((1.5, 11.5), (1.0, 11.0))
        assert len(made) == 2

    @pytest.mark.parametrize(
        ("aggregate", "tell"),
        [
            ("mean", statistics.fmean),
            ("median", statistics.median),
            ("min", min),
            ("max", max),
            ("sd", statistics.stdev),
            ("n", len),
        ],
    )
    def test_tell_what_is_asked_for(self, tmp_path, aggregate, tell):
        values = [0.5, 2.0, 7.25]
        rows = [{"params_resolved": {"a": 1, "b": 2}, "metrics": {"y": v}} for v in values]
        made = held(tmp_path, *rows).pivot("a", "b", "y", aggregate=aggregate)
        assert made.cells == ((pytest.approx(tell(values)),),)

    def test_of_no_run_are_none(self, tmp_path):
        rows = [{"params_resolved": {"a": i, "b": i}, "metrics": {"y": 1}} for i in range(2)]
        assert held(tmp_path, *rows).pivot("a", "b", "y").cells == ((1.0, None), (None, 1.0))

    def test_by_several_names_and_by_what_the_record_says(self, tmp_path):
        made = sweep(tmp_path).pivot(["model", "lr"], "replicate", "acc", aggregate="n")
        assert made.index == ("model", "lr")
        assert made.down[:2] == (("svm", 0.1), ("svm", 1.0))
        assert made.across == tuple((i,) for i in range(8))

    def test_a_param_of_the_metrics_name_is_asked_for_by_its_section(self, tmp_path):
        rows = [{"params_resolved": {"y": i, "b": 0}, "metrics": {"y": i / 2}} for i in range(2)]
        made = held(tmp_path, *rows).pivot("params.y", "b", "y")
        assert (made.down, made.cells) == (((0,), (1,)), ((0.0,), (0.5,)))

    def test_integers_beyond_floats_and_infinities(self, tmp_path):
        params = {"params_resolved": {"a": 1, "b": 1}}
        results = held(tmp_path, {**params, "metrics": {"y": 10**400, "z": math.inf}})
        assert results.pivot("a", "b", "y").cells == ((math.inf,),)
        assert results.pivot("a", "b", "y", aggregate="max").cells == ((10**400,),)
        assert results.pivot("a", "b", "z", aggregate="median").cells == ((math.inf,),)

    def test_of_runs_that_were_stored_some_of_which_failed(self, store):
        results = run(experiment(), store)
        with pytest.warns(AggregateWarning, match=r"not balanced: 2 of 6 have fewer than 2"):
            made = results.pivot("lr", "model", "loss")
        assert made.cells == ((1.0, 1.0), (2.0, 2.0), (None, None))
        assert metalab.load_results(store).where("lr < 5").pivot("lr", "model", "loss").cells == (
            (1.0, 1.0),
            (2.0, 2.0),
        )


class TestDoubts:
    def test_a_balanced_table_has_none(self, tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sweep(tmp_path, depth=3).pivot("lr", "model", "acc")

    def test_params_that_cells_mix_are_named(self, tmp_path):
        with pytest.warns(AggregateWarning, match="runs of different lr together"):
            made = sweep(tmp_path).pivot("model", "experiment_id", "acc")
        assert len(made) == 2

    def test_versions_of_the_code(self, tmp_path):
        rows = [
            {
                "params_resolved": {"a": i, "b": 0},
                "metrics": {"y": 1},
                "provenance": Provenance(code_hash=f"c{i}"),
            }
            for i in range(2)
        ]
        with pytest.warns(AggregateWarning, match="2 versions of the code"):
            held(tmp_path, *rows).pivot("a", "b", "y")

    def test_cells_with_fewer_runs(self, tmp_path):
        more = {"params_resolved": {"model": "svm", "lr": 0.1}, "metrics": {"acc": 1}}
        with pytest.warns(AggregateWarning, match="3 of 4 have fewer than 3 successful runs"):
            sweep(tmp_path, more).pivot("lr", "model", "acc")

    def test_numbers_that_are_nan_or_missing(self, tmp_path):
        params = {"params_resolved": {"a": 1, "b": 1}}
        rows = [{**params, "metrics": m} for m in ({"y": math.nan}, {}, {"y": "x"}, {"y": 3})]
        with pytest.warns(AggregateWarning, match="y is NaN, no number or missing in 3 of 4"):
            assert held(tmp_path, *rows).pivot("a", "b", "y").cells == ((3.0,),)

    def test_a_warning_names_the_line_that_asked(self, tmp_path):
        with pytest.warns(AggregateWarning) as caught:
            sweep(tmp_path).pivot("model", "experiment_id", "acc")
        assert caught[0].filename == __file__


class TestBadInput:
    def test_names_that_no_run_has_are_refused_with_those_there_are(self, tmp_path):
        results = sweep(tmp_path)
        with pytest.raises(KeyError, match=r"no param named 'modle'.*did you mean 'model'"):
            results.pivot("modle", "lr", "acc")
        with pytest.raises(KeyError, match=r"no number in a metric named 'ac'.*did you mean 'acc'"):
            results.pivot("model", "lr", "ac")

    def test_what_means_nothing_is_refused(self, tmp_path):
        results = sweep(tmp_path)
        with pytest.raises(ValueError, match="one of mean, median, min, max, sd, n"):
            results.pivot("model", "lr", "acc", aggregate="sum")
        with pytest.raises(ValueError, match="'lr' is named twice"):
            results.pivot("lr", "lr", "acc")
        with pytest.raises(ValueError, match="at least one name"):
            results.pivot([], "lr", "acc")

    def test_nothing_gives_nothing(self, tmp_path):
        made = Results(FileStore(tmp_path).scoped("e:1"), list[RunRecord]()).pivot("a", "b", "y")
        assert (len(made), made.cells) == (0, ())
        assert "mean of y" in repr(made)


class TestShown:
    def test_as_text(self, tmp_path):
        made = sweep(tmp_path).pivot("lr", "model", "acc")
        assert repr(made).splitlines() == [
            "mean of acc, across model",
            " lr  svm  tree",
            "0.1  0.6  10.6",
            "1.0  1.5  11.5",
        ]

    def test_values_across_that_are_named_as_an_index_stay_apart(self, tmp_path):
        rows = [{"params_resolved": {"a": 1, "b": "a"}, "metrics": {"y": 7}}]
        assert repr(held(tmp_path, *rows).pivot("a", "b", "y")).splitlines()[-1].split() == [
            "1",
            "7.0",
        ]

    def test_as_a_frame_that_pandas_would_make_too(self, tmp_path):
        pd = pytest.importorskip("pandas")
        results = sweep(tmp_path)
        expected = results.to_dataframe().pivot_table(
            index="param_lr", columns="param_model", values="acc"
        )
        expected.index.name, expected.columns.name = "lr", "model"
        frame = results.pivot("lr", "model", "acc").to_dataframe()
        pd.testing.assert_frame_equal(frame, expected)
        several = results.pivot(["model", "lr"], "experiment_id", "acc").to_dataframe()
        assert several.loc[("tree", 1.0), "e:1"] == 11.5

    def test_frames_of_tuples_and_of_nothing(self, tmp_path):
        rows = [{"params_resolved": {"a": (1, i), "b": 0}, "metrics": {"y": i}} for i in range(2)]
        frame = held(tmp_path, *rows).pivot("a", "b", "y").to_dataframe()
        assert (frame.index.name, list(frame.index)) == ("a", [(1, 0), (1, 1)])
        nothing = held(tmp_path).pivot(["a", "c"], "b", "y").to_dataframe()
        assert nothing.shape == (0, 0)
        assert list(nothing.index.names) == ["a", "c"]

    def test_without_pandas(self, store):
        run(experiment(params=metalab.grid(lr=[1], model=["svm"])), store)
        script = textwrap.dedent(f"""
            import sys
            sys.modules["pandas"] = None
            import metalab
            made = metalab.load_results({str(store)!r}).pivot("lr", "model", "loss")
            print(made)
            try:
                made.to_dataframe()
            except metalab.errors.MissingExtraError as error:
                print(error)
        """)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert "mean of loss" in done.stdout
        assert "to_dataframe() needs pandas: pip install 'metalab[pandas]'" in done.stdout
