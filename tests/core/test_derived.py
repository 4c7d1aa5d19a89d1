"""Derived metrics: computed beside a run, kept with its record, known to be stale when they are."""

from __future__ import annotations

import functools
import sys

import pytest

import metalab
from metalab.derived import (
    DerivedMetric,
    DerivedMetricError,
    DerivedMetricWarning,
    as_derived_metrics,
    compute,
)
from metalab.results import open_results
from metalab.store import FileStore


@metalab.operation
def op(params, capture):
    if params["x"] == 3:
        raise ValueError("not three")
    capture.metric("y", params["x"] * 10)
    capture.artifact("words", ["a"] * params["x"])


def experiment(xs=(1, 2, 3)):
    return metalab.Experiment(
        "derived", "1.0", None, op, metalab.grid(x=list(xs)), metalab.seeds(1)
    )


def run(store, **options):
    options = {"executor": "inline", "progress": False, **options}
    return metalab.run(experiment(options.pop("xs", (1, 2, 3))), store=store, **options).result()


def doubled(run):
    return run.metrics["y"] * 2


def parts(run):
    return {"half": run.metrics["y"] / 2, "n_words": len(run.artifact("words"))}


def fragile(run):
    return 1 / (run.metrics["y"] - 10)


def made(source, name="changing"):
    """A function whose code is not that of another of the same name."""
    namespace = {}
    exec(source, namespace)
    return namespace[name]


@pytest.fixture
def results(store):
    return run(store)


class TestValues:
    def test_a_scalar_takes_the_functions_name(self, results):
        assert compute(doubled, results[0]) == {"doubled": 20}

    def test_a_dict_gives_several_values(self, results):
        assert compute(parts, results[1]) == {"half": 10.0, "n_words": 2}

    def test_none_is_no_value(self, results):
        def nothing(run):
            return None

        assert compute(nothing, results[0]) == {}

    def test_a_reference_is_imported(self, results, tmp_path, monkeypatch):
        (tmp_path / "my_metrics.py").write_text(
            "class Group:\n    @staticmethod\n    def length(run):\n        return run.metrics['y']"
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "my_metrics", raising=False)
        assert compute("my_metrics:Group.length", results[0]) == {"length": 10}

    @pytest.mark.parametrize("kind", ["int64", "float32", "bool_", "str_"])
    def test_numpy_scalars_become_plain_ones(self, results, kind):
        np = pytest.importorskip("numpy")

        def scalar(run):
            return {"whole": getattr(np, kind)(1), "array": np.array(2)}

        values = compute(scalar, results[0])
        assert values == {"whole": getattr(np, kind)(1).item(), "array": 2}
        assert type(values["whole"]) in {int, float, bool, str}

    def test_subclasses_of_scalars_become_plain_ones(self, results):
        class Level(int):
            pass

        def level(run):
            return Level(3)

        assert type(compute(level, results[0])["level"]) is int

    @pytest.mark.parametrize(
        ("value", "words"),
        [([1], r"returned \[1\]; return a scalar or"), ({"a": [1]}, "returned 'a' as a list")],
    )
    def test_what_is_no_scalar_is_refused(self, results, value, words):
        def odd(run):
            return value

        with pytest.raises(DerivedMetricError, match=words):
            compute(odd, results[0])

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ({1: 1, "1": 2}, "returned two values named '1'"),
            ({"\ud800": 1}, r"returned a value named '\\ud800', which no file can hold"),
        ],
    )
    def test_names_that_no_column_can_have_are_refused(self, results, value, words):
        def odd(run):
            return value

        with pytest.raises(DerivedMetricError, match=words):
            compute(odd, results[0])

    def test_leaving_the_interpreter_is_the_failure_of_the_function_alone(self, results):
        def leaves(run):
            raise SystemExit(3)

        with pytest.raises(DerivedMetricError, match="raised SystemExit: 3"):
            compute(leaves, results[0])

    def test_what_is_raised_may_have_no_text(self, results):
        class MuteError(Exception):
            def __str__(self):
                raise KeyError("text")

        def mute(run):
            raise MuteError

        with pytest.raises(DerivedMetricError, match=r"raised MuteError: .*KeyError"):
            compute(mute, results[0])

    def test_what_a_function_raises_names_the_run(self, results):
        with pytest.raises(DerivedMetricError, match="raised ZeroDivisionError") as info:
            compute(fragile, results[0])
        assert results[0].run_id in str(info.value)
        assert isinstance(info.value.__cause__, ZeroDivisionError)


class TestGiven:
    def test_functions_references_and_metrics_are_taken(self):
        metrics = as_derived_metrics([doubled, "json:dumps"])
        assert [metric.name for metric in metrics] == ["doubled", "dumps"]
        assert as_derived_metrics(metrics) == metrics
        assert all(isinstance(metric, DerivedMetric) for metric in metrics)

    def test_one_needs_no_list(self):
        assert as_derived_metrics(doubled) == as_derived_metrics([doubled])
        assert as_derived_metrics("json:dumps")[0].name == "dumps"

    def test_none_is_none(self):
        assert as_derived_metrics(None) == ()

    def test_a_partial_has_the_name_of_its_function(self):
        def scaled(run, by):
            return run.metrics["y"] * by

        (metric,) = as_derived_metrics([functools.partial(scaled, by=3)])
        assert metric.name == "scaled"

    def test_a_captured_value_is_part_of_the_code(self):
        def by(factor):
            def scaled(run):
                return run.metrics["y"] * factor

            return scaled

        (two,), (three,), (again,) = map(as_derived_metrics, (by(2), by(3), by(2)))
        assert two.code != three.code
        assert two.code == again.code

    @pytest.mark.parametrize("bad", [[lambda run: 1], [3], [[doubled]]])
    def test_what_has_no_name_is_refused(self, bad):
        with pytest.raises(TypeError, match="give a function with a name"):
            as_derived_metrics(bad)

    def test_two_of_one_name_are_refused(self):
        with pytest.raises(ValueError, match="two derived metrics are named 'doubled'"):
            as_derived_metrics([doubled, doubled])

    @pytest.mark.parametrize("bad", ["json.dumps", "json:"])
    def test_a_bad_reference_is_refused(self, bad):
        with pytest.raises(ValueError, match="write 'module:function'"):
            as_derived_metrics(bad)

    def test_a_reference_that_leads_nowhere_is_an_error(self):
        with pytest.raises(ImportError):
            as_derived_metrics("no_such_module:f")
        with pytest.raises(AttributeError):
            as_derived_metrics("json:no_such_function")

    def test_a_bad_one_is_refused_before_anything_is_written(self, tmp_path):
        with pytest.raises(TypeError):
            run(tmp_path / "store", derived_metrics=[lambda run: 1])
        assert not (tmp_path / "store").exists()


class TestCompute:
    def test_values_are_kept_for_successful_runs(self, results):
        results.compute_derived([doubled, parts])
        assert results[1].derived == {"doubled": 40, "half": 10.0, "n_words": 2}
        assert results.failed[0].derived == {}

    def test_another_process_sees_them(self, results, store):
        results.compute_derived(doubled)
        assert open_results(store)[0].derived == {"doubled": 20}
        assert FileStore(store).scoped("derived:1.0").get_derived(results[0].run_id)["doubled"][
            "values"
        ] == {"doubled": 20}

    def test_only_what_is_missing_is_computed(self, results, store):
        seen = []

        def counting(run):
            seen.append(run.run_id)
            return 1

        metric = as_derived_metrics(counting)
        results[:1].compute_derived(metric)
        results.compute_derived(metric)
        open_results(store).compute_derived(metric)
        assert sorted(seen) == sorted(run.run_id for run in results.successful)

    def test_overwrite_computes_all(self, results):
        seen = []

        def counting(run):
            seen.append(run.run_id)
            return len(seen)

        metric = as_derived_metrics(counting)
        results.compute_derived(metric)
        results.compute_derived(metric, overwrite=True)
        assert len(seen) == 4
        assert [run.derived["counting"] for run in results.successful] == [3, 4]

    def test_other_code_makes_them_stale(self, results):
        results.compute_derived(made("def changing(run):\n    return 1\n"))
        results.compute_derived(made("def changing(run):\n    return 2\n"))
        assert results[0].derived == {"changing": 2}

    def test_another_record_makes_them_stale(self, results, store):
        results.compute_derived(doubled)
        again = run(store, resume=False)
        assert again[0].derived == {}
        again.compute_derived(doubled)
        assert again[0].derived == {"doubled": 20}

    def test_a_failing_function_is_a_warning_and_keeps_nothing(self, results):
        with pytest.warns(DerivedMetricWarning, match=results[0].run_id) as caught:
            results.compute_derived([fragile, doubled])
        assert caught[0].filename == __file__
        assert results[0].derived == {"doubled": 20}
        assert results[1].derived == {"doubled": 40, "fragile": 0.1}

    def test_names_that_two_functions_use_are_told_apart(self, results):
        def first(run):
            return {"a": 1, "b": 2}

        def second(run):
            return {"a": 3}

        results.compute_derived([first, second])
        assert results[0].derived == {"first.a": 1, "b": 2, "second.a": 3}

    def test_nothing_to_compute_writes_nothing(self, results, store, tmp_path):
        before = sorted(tmp_path.rglob("*"))
        results.compute_derived([])
        assert sorted(tmp_path.rglob("*")) == before

    def test_progress_can_be_shown(self, results, capsys):
        results.compute_derived(doubled, progress=True)
        assert "derived metrics: 3/3 runs" in capsys.readouterr().err

    def test_values_that_json_lacks_come_back_as_they_were(self, results):
        def odd(run):
            return {"nan": float("nan"), "big": 2**80, "zero": -0.0}

        results.compute_derived(odd)
        assert repr(results[0].derived) == repr({"nan": float("nan"), "big": 2**80, "zero": -0.0})


class TestFrames:
    def test_kept_values_are_columns_when_asked_for(self, results):
        pytest.importorskip("pandas")
        results.compute_derived([doubled, parts])
        frame = results.to_dataframe(include_record=False, include_derived=True)
        assert list(frame) == ["param_x", "y", "derived_doubled", "derived_half", "derived_n_words"]
        assert list(frame["derived_doubled"][:2]) == [20, 40]
        assert list(frame["derived_doubled"].isna()) == [False, False, True]
        assert "derived_doubled" not in results.to_dataframe()

    def test_metrics_that_are_named_are_computed_and_not_kept(self, results, tmp_path):
        results.compute_derived(parts)
        before = {path: path.stat().st_size for path in tmp_path.rglob("*")}
        path = results.to_csv(
            tmp_path / "x.csv",
            include_record=False,
            include_params=False,
            derived_metrics=[doubled],
        )
        assert path.read_text().splitlines() == ["y,derived_doubled", "10,20", "20,40", ","]
        path.unlink()
        assert {path: path.stat().st_size for path in tmp_path.rglob("*")} == before

    def test_a_kept_value_is_not_computed_again(self, results, tmp_path):
        seen = []

        def counting(run):
            seen.append(run)
            return 1

        metric = as_derived_metrics(counting)
        results.compute_derived(metric)
        results.to_csv(tmp_path / "x.csv", derived_metrics=metric)
        assert len(seen) == 2

    def test_a_stale_value_is_not_shown_where_computing_fails(self, results, tmp_path):
        results.compute_derived(made("def changing(run):\n    return 1\n"))
        with pytest.warns(DerivedMetricWarning):
            path = results[:1].to_csv(
                tmp_path / "x.csv",
                include_record=False,
                include_derived=True,
                derived_metrics=made("def changing(run):\n    raise KeyError(1)\n"),
            )
        assert path.read_text().splitlines() == ["param_x,y", "1,10"]
