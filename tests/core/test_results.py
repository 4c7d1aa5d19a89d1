"""Results: the runs of an experiment in order, chosen, counted and turned into tables."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from datetime import timedelta

import pytest

import metalab
from metalab.errors import MetalabError
from metalab.records import RunRecord, Status
from metalab.result import Results as PublicResults
from metalab.results import Results, Run
from metalab.store import FileStore
from studies import experiment, record, run


@pytest.fixture
def results(store):
    return run(experiment(), store)


class TestSequence:
    def test_runs_come_in_plan_order_params_outer_replicates_inner(self, results):
        seen = [(run.params["lr"], run.params["model"], run.replicate) for run in results]
        assert seen == [
            (lr, model, replicate)
            for lr in (0.5, 1, 9)
            for model in ("svm", "tree")
            for replicate in (0, 1)
        ]

    def test_a_partly_resumed_sweep_keeps_the_order_of_its_plan(self, store):
        run(experiment(params=metalab.grid(lr=[1], model=["tree"])), store)
        again = run(experiment(), store)
        assert [r.params["lr"] for r in again] == [0.5] * 4 + [1] * 4 + [9] * 4

    def test_loaded_results_have_the_order_of_the_plan_too(self, store, results):
        assert [r.run_id for r in metalab.load_results(store)] == [r.run_id for r in results]

    def test_runs_that_another_plan_left_in_the_store_are_not_the_handles(self, store, results):
        fewer = run(experiment(params=metalab.grid(lr=[0.5], model=["svm"])), store)
        assert len(fewer) == 2
        assert len(metalab.load_results(store)) == 12

    def test_an_index_gives_a_run_and_a_slice_gives_results(self, results):
        assert isinstance(results[0], Run)
        assert results[-1].run_id == results.runs[11].run_id
        assert isinstance(results[2:4], Results)
        assert [r.run_id for r in results[2:4]] == [r.run_id for r in results.runs[2:4]]
        assert len(results[::-1]) == 12
        with pytest.raises(IndexError):
            results[12]

    def test_a_run_is_found_by_a_unique_prefix_of_its_id(self, results):
        wanted = results[3]
        assert results[wanted.run_id[:10]].run_id == wanted.run_id
        assert results[wanted.run_id].run_id == wanted.run_id
        assert results.load(wanted.run_id[:10], "curve") == {"at": 0.5}

    def test_an_ambiguous_prefix_lists_the_candidates(self, store):
        held = Results(FileStore(store), [record("a"), record("b"), record("c")])
        with pytest.raises(KeyError, match=r"3 runs' ids begin with ''.*aaa.*; give more"):
            held[""]

    def test_an_unknown_id_says_what_there_is(self, store):
        held = Results(FileStore(store), [record("a")])
        with pytest.raises(
            MetalabError, match=r"no run's id begins with 'zz' \(runs: aaaa"
        ) as info:
            held["zz"]
        assert isinstance(info.value, KeyError)
        assert not str(info.value).startswith(("'", '"'))

    def test_an_id_that_begins_another_is_found_itself(self):
        from metalab.results.lookup import resolve_id

        assert resolve_id("ab", ["abc", "ab"]) == 1

    def test_membership_takes_runs_and_ids(self, results):
        assert results[0] in results
        assert results[0].run_id in results
        assert "nothing" not in results

    def test_repr_is_one_line_of_counts(self, results, store):
        assert repr(results) == "Results(12 runs: 8 success, 4 failed)"
        assert repr(results[:1]) == "Results(1 run: 1 success)"
        assert repr(Results(FileStore(store), [])) == "Results(0 runs)"

    def test_the_alias_module_has_the_same_class(self):
        assert PublicResults is Results is metalab.Results


class TestHeldRecords:
    """Results made of records, as ``Results(store, records)``."""

    def test_they_behave_as_those_of_a_store(self, store, results):
        held = Results(results.store, results.records)
        assert held.table() == results.table()
        assert repr(held) == repr(results)
        assert held.successful[0].artifact("curve") == {"at": 0.5}
        assert [r.run_id for r in held[1:3]] == [r.run_id for r in results[1:3]]
        assert held.summary() == results.summary()

    def test_runs_may_be_given_in_place_of_records(self, results):
        assert Results(results.store, results[:3]).table() == results[:3].table()

    def test_moments_of_other_time_zones_are_shown_in_utc(self, store):
        (row,) = Results(FileStore(store), [record("a")]).table()
        assert row["started_at"].utcoffset() == timedelta(0)
        assert row["started_at"] == record("a").started_at

    def test_a_run_that_has_not_ended_has_no_end(self, store):
        running = RunRecord.running(run_id="a" * 32, experiment_id="e:1")
        held = Results(FileStore(store), [running])
        assert held.table()[0]["finished_at"] is None
        assert held.summary()["avg_duration_ms"] is None
        assert held[0].finished_at is None
        assert held[0].status is Status.RUNNING


class TestFilter:
    def test_by_status(self, results):
        assert len(results.successful) == 8
        assert len(results.failed) == 4
        assert len(results.filter(status="failed")) == 4
        assert len(results.filter(status=lambda status: status != "failed")) == 8
        assert {r.status for r in results.failed} == {Status.FAILED}

    def test_an_unknown_status_is_refused_with_those_there_are(self, results):
        with pytest.raises(ValueError, match=r"'sucess' is no status; the statuses are success, f"):
            results.filter(status="sucess")

    def test_by_a_param(self, results):
        assert len(results.filter(lr=1)) == 4
        assert len(results.filter(lr=1, model="svm")) == 2

    def test_by_a_metric(self, results):
        assert len(results.filter(loss=2)) == 4
        assert len(results.filter(loss=lambda loss: loss < 1.5)) == 4

    def test_a_function_is_not_asked_about_runs_without_the_field(self, results):
        asked = []
        results.filter(loss=asked.append)
        assert len(asked) == 8

    def test_by_seed_replicate_and_ids(self, results):
        assert len(results.filter(replicate=1)) == 6
        assert len(results.filter(seed=42)) == 12
        assert len(results.filter(seed=7)) == 0
        assert len(results.filter(experiment_id="study:1.0")) == 12
        wanted = results[5].run_id
        assert [r.run_id for r in results.filter(run_id=wanted[:9])] == [wanted]

    def test_by_tags_of_the_experiment_and_of_the_case(self, store):
        cases = metalab.manual(
            [{"lr": 1, "model": "svm"}, {"lr": 2, "model": "svm"}], tags=[["small"], ["big"]]
        )
        results = run(experiment(params=cases), store)
        assert len(results.filter(tags="paper")) == 4
        assert len(results.filter(tags=["paper", "big"])) == 2
        assert len(results.filter(tags=["nobody"])) == 0

    def test_together_with_status(self, results):
        assert len(results.filter("success", model="svm")) == 4
        assert len(results.filter("failed", tags="paper", model="svm")) == 2

    def test_filters_can_be_chained(self, results):
        assert len(results.successful.filter(model="tree").filter(lr=1)) == 2

    def test_a_misspelt_field_is_an_error_that_lists_the_fields(self, results):
        with pytest.raises(
            KeyError, match=r"no param, metric or field named 'losss'.*did you mean"
        ):
            results.filter(losss=1)

    def test_nothing_can_be_chosen_from_nothing(self, results):
        assert len(results[:0].filter(lr=1)) == 0

    def test_nan_is_found_by_nan(self, store):
        held = Results(
            FileStore(store),
            [record("a", metrics={"x": math.nan}), record("b", metrics={"x": 1.0})],
        )
        assert [r.run_id[0] for r in held.filter(x=math.nan)] == ["a"]

    def test_arrays_are_compared_as_wholes(self, store):
        np = pytest.importorskip("numpy")
        rows = [
            record(name, params_resolved={"w": np.arange(n)}) for name, n in (("a", 2), ("b", 3))
        ]
        held = Results(FileStore(store), rows)
        assert [r.run_id[0] for r in held.filter(w=np.arange(3))] == ["b"]
        assert len(held.filter(w=np.ones(3))) == 0


class TestTable:
    def test_rows_are_dicts_of_record_params_metrics_and_tags(self, results):
        rows = results.table()
        assert len(rows) == 12
        first = rows[0]
        assert list(first) == [
            "run_id",
            "experiment_id",
            "status",
            "started_at",
            "finished_at",
            "duration_ms",
            "seed",
            "replicate",
            "attempt",
            "code_hash",
            "tags",
            "error",
            "param_lr",
            "param_model",
            "loss",
            "who",
            "context_fingerprint",
            "params_fingerprint",
            "seed_fingerprint",
        ]
        assert first["status"] == "success"
        assert type(first["status"]) is str
        assert first["tags"] == ["paper"]
        assert (first["seed"], first["replicate"], first["loss"]) == (42, 0, 1.0)
        assert len(first["params_fingerprint"]) == 32

    def test_what_a_run_lacks_is_none(self, results):
        last = results.table()[-1]
        assert last["loss"] is None
        assert last["error"] == "ValueError: the rate is too high"

    def test_moments_are_aware(self, results):
        started, finished = (results.table()[0][name] for name in ("started_at", "finished_at"))
        assert started <= finished
        assert started.tzinfo is not None

    def test_no_results_make_no_rows(self, results):
        assert results[:0].table() == []

    def test_summary_counts_and_times(self, results):
        summary = results.summary()
        assert summary["total_runs"] == 12
        assert summary["by_status"] == {"success": 8, "failed": 4}
        assert type(next(iter(summary["by_status"]))) is str
        low, mean, high = (summary[f"{name}_duration_ms"] for name in ("min", "avg", "max"))
        assert 0 < low <= mean <= high

    def test_values_that_json_lacks_come_back_as_they_were(self, store):
        @metalab.operation(name="odd")
        def odd(params, capture):
            capture.metric("inf", params["inf"])

        params = {
            "inf": math.inf,
            "big": 2**80,
            "pair": (1, 2),
            "nested": {"a": [1, (2,)]},
            "$x": "$y",
        }
        (row,) = run(
            experiment(operation=odd, params=metalab.manual([params]), seeds=metalab.seeds(2**70)),
            store,
        ).table()
        assert {name: row[f"param_{name}"] for name in params} == params
        assert row["inf"] == math.inf
        assert row["seed"] == 2**70


class TestAliases:
    """Modules by whose names scripts import what lives elsewhere."""

    @pytest.mark.parametrize("name", ["result", "types", "executor", "derived"])
    def test_they_hold_the_very_classes(self, name):
        module = importlib.import_module(f"metalab.{name}")
        for public in module.__all__:
            there = getattr(module, public)
            assert getattr(metalab, public, there) is there

    def test_importing_metalab_imports_none_of_them(self):
        script = (
            "import sys, metalab; print([name for name in sys.modules if name in"
            " {'metalab.result', 'metalab.types', 'metalab.executor', 'metalab.derived'}])"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout == "[]\n"
