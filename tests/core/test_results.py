"""Results: the runs of an experiment in order, chosen, counted and turned into tables."""

from __future__ import annotations

import math
import shutil
import tracemalloc
from datetime import datetime, timedelta, timezone

import pytest

import metalab
from metalab.errors import MetalabError
from metalab.records import Provenance, RunRecord, Status
from metalab.result import Results as PublicResults
from metalab.results import Results, Run, open_results
from metalab.results.rows import Row
from metalab.store import FileStore


@metalab.operation
def study(params, seeds, capture):
    if params["lr"] > 5:
        raise ValueError("the rate is too high")
    capture.metric("loss", params["lr"] * 2)
    capture.metric("who", params["model"])
    capture.artifact("curve", {"at": params["lr"]})


def experiment(**changes):
    fields = {
        "name": "study",
        "version": "1.0",
        "context": None,
        "operation": study,
        "params": metalab.grid(lr=[0.5, 1, 9], model=["svm", "tree"]),
        "seeds": metalab.seeds(42, replicates=2),
        "tags": ["paper"],
    }
    return metalab.Experiment(**{**fields, **changes})


def run(exp, store, **options):
    return metalab.run(exp, store=store, executor="inline", progress=False, **options).result()


@pytest.fixture
def results(store):
    return run(experiment(), store)


def record(run_id, **fields):
    now = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=5)))
    return RunRecord.success(
        run_id=run_id * 32,
        experiment_id="held:1",
        started_at=now,
        finished_at=now + timedelta(seconds=1),
        duration_ms=1000.0,
        **fields,
    )


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


class TestRun:
    def test_it_shows_its_record(self, results):
        first = results[0]
        assert first.params == first.record.params_resolved == {"lr": 0.5, "model": "svm"}
        assert first.metrics == {"loss": 1.0, "who": "svm"}
        assert (first.seed, first.replicate, first.tags) == (42, 0, ["paper"])
        assert first.status is Status.SUCCESS
        assert first.error is None
        assert first.duration_ms > 0
        assert first.started_at <= first.finished_at
        assert first.experiment_id == "study:1.0"

    def test_a_failure_is_told_with_type_message_and_traceback(self, results):
        error = results.failed[0].error
        assert (error["type"], error["message"]) == ("ValueError", "the rate is too high")
        assert "raise ValueError" in error["traceback"]

    def test_repr_is_short(self, results):
        assert (
            repr(results[0])
            == f"Run({results[0].run_id[:8]} success lr=0.5 model='svm' replicate=0)"
        )

    def test_it_can_be_made_of_a_record_or_of_a_run(self, results):
        first = results[0]
        for given in (first, first.record):
            made = Run(given, results.store)
            assert made.run_id == first.run_id
            assert made.artifact("curve") == {"at": 0.5}

    def test_the_experiment_is_known_with_its_metadata(self, store):
        results = run(experiment(metadata={"grant": 7}, description="a study"), store)
        info = results[0].experiment
        assert (info.experiment_id, info.name, info.version) == ("study:1.0", "study", "1.0")
        assert (info.description, info.tags, info.metadata) == ("a study", ("paper",), {"grant": 7})

    def test_an_experiment_without_a_manifest_is_known_by_its_id(self, store):
        (held,) = Results(FileStore(store).scoped("held:1"), [record("a")])
        assert (held.experiment.name, held.experiment.version) == ("held", "1")

    def test_provenance_knows_interpreter_version_and_host(self, results):
        provenance = results[0].provenance
        assert provenance.python_version
        assert provenance.metalab_version
        assert provenance.host
        assert provenance.code_hash

    def test_what_the_record_says_of_its_provenance_wins(self, store):
        held = record("a", provenance=Provenance(host="moon"))
        (one,) = Results(FileStore(store).scoped("held:1"), [held])
        assert one.provenance.host == "moon"

    def test_attempts_are_kept(self, store):
        run(experiment(), store)
        again = run(experiment(), store)
        assert [attempt.attempt for attempt in again.failed[0].attempts()] == [1, 2]
        assert [attempt.attempt for attempt in again.successful[0].attempts()] == [1]


class TestCaptured:
    @pytest.fixture
    def captured(self, store):
        @metalab.operation(name="capturing")
        def capturing(params, capture):
            capture.data("small", {"pair": (1, 2)})
            capture.data("large", list(range(20_000)))
            capture.artifact("text", "words")
            capture.artifact("small", "an artifact of the same name")
            for step in range(3):
                capture.metric("loss", 1 / (step + 1), step=step)
            capture.log("a line")

        return run(
            experiment(operation=capturing, params=metalab.grid(), seeds=metalab.seeds(1)), store
        )[0]

    def test_data_come_back_from_the_record_or_beside_it(self, captured):
        assert captured.data("small") == {"pair": (1, 2)}
        assert captured.data("large") == list(range(20_000))

    def test_a_series_comes_back_under_both_names(self, captured):
        assert captured.series("loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
        assert captured.data("loss") == captured.series("loss")
        assert captured.metrics["loss"] == 1 / 3

    def test_list_data_names_all_of_them(self, captured):
        assert captured.list_data() == ["large", "loss", "small"]

    def test_artifacts_come_back(self, captured):
        assert captured.artifact("text") == "words"
        assert captured.artifact("small") == "an artifact of the same name"
        assert captured.artifact("large") == list(range(20_000))
        assert sorted(a.name for a in captured.artifacts()) == ["large", "small", "text"]

    def test_the_log_comes_back(self, captured):
        assert captured.log().endswith("a line\n")

    def test_a_run_that_logged_nothing_has_an_empty_log(self, results):
        assert results[0].log() == ""

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            (lambda run: run.artifact("tex"), "no artifact named 'tex'.*did you mean 'text'"),
            (lambda run: run.data("smal"), "no data named 'smal' .there are: large, loss, small"),
            (lambda run: run.series("acc"), "no series named 'acc' .there are: loss"),
            (lambda run: run.log("metrics"), "no log named 'metrics'"),
        ],
    )
    def test_a_missing_name_lists_those_there_are(self, captured, asked, words):
        with pytest.raises(KeyError, match=words):
            asked(captured)

    def test_a_run_without_any_says_so(self, results):
        with pytest.raises(KeyError, match=r"Run\(.*\) has no series named 'x' \(there are none\)"):
            results[0].series("x")

    def test_a_moved_store_keeps_its_artifacts(self, captured, store, tmp_path):
        moved = tmp_path / "elsewhere" / "copy"
        shutil.move(store, moved)
        (run,) = metalab.load_results(moved)
        assert run.artifact("text") == "words"
        assert run.data("large") == list(range(20_000))
        assert run.log().endswith("a line\n")

    def test_a_record_that_is_in_no_store_has_no_series_or_derived_values(self, store):
        (one,) = Results(FileStore(store).scoped("held:1"), [record("a")])
        assert one.list_data() == []
        assert one.derived == {}


class TestPickles:
    @pytest.fixture
    def pickled(self, store):
        @metalab.operation(name="pickling")
        def pickling(capture):
            capture.artifact("when", timedelta(days=1), kind="pickle")

        exp = experiment(
            operation=pickling, params=metalab.grid(), seeds=metalab.seeds(1), allow_pickle=True
        )
        return run(exp, store)

    def test_a_pickle_is_refused_unless_it_is_allowed_for_this_load(self, pickled):
        with pytest.raises(MetalabError, match="allow_pickle=True"):
            pickled[0].artifact("when")
        assert pickled[0].artifact("when", allow_pickle=True) == timedelta(days=1)
        assert pickled.load(pickled[0].run_id, "when", allow_pickle=True) == timedelta(days=1)


MANY = 20_000


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A store with many runs, written from the back: the order on disk is not the plan's."""
    store = FileStore(tmp_path_factory.mktemp("many")).scoped("many:1")
    with store.writer("abcdef") as writer:
        for index in reversed(range(MANY)):
            writer.put(
                RunRecord.success(
                    run_id=f"{index:032x}",
                    experiment_id="many:1",
                    params_resolved={f"p{k}": index * k for k in range(10)},
                    metrics={"score": index / 7},
                    index=index,
                )
            )
    return store


class TestScale:
    def test_the_order_is_that_of_the_plan_whatever_was_asked_first(self, many):
        by_frame, by_ids = Results.from_store(many), Results.from_store(many)
        assert [row["param_p1"] for row in by_frame.table()] == list(range(MANY))
        assert [run.run_id for run in by_ids] == [f"{i:032x}" for i in range(MANY)]
        assert [run.run_id for run in by_frame] == [run.run_id for run in by_ids]

    def test_results_hold_ids_and_no_records(self, many):
        many.read()
        tracemalloc.start()
        results = Results.from_store(many)
        assert results[0].metrics["score"] == 0
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # An id is a string of 81 bytes; one decoded record takes some 3,000.
        assert held / MANY < 400

    def test_choosing_by_status_decodes_no_line(self, many, monkeypatch):
        results = Results.from_store(many)
        assert len(results) == MANY
        results[0]
        monkeypatch.setattr(type(many.read()), "lines", None)
        assert len(results.successful) == MANY
        assert repr(results) == f"Results({MANY:,} runs: {MANY:,} success)"

    def test_runs_that_differ_have_their_columns_in_the_order_of_the_plan(self, tmp_path):
        store = FileStore(tmp_path).scoped("mixed:1")
        with store.writer("abcdef") as writer:
            for index in (2, 0, 1):
                metrics = {"b": 1, "a": 2} if index else {"a": 1, "c": 2}
                writer.put(
                    RunRecord.success(
                        run_id=f"{index:032x}",
                        experiment_id="mixed:1",
                        index=index,
                        metrics=metrics,
                    )
                )
        table = Results.from_store(store).table()
        assert [name for name in table[0] if len(name) == 1] == ["a", "c", "b"]
        assert [row["b"] for row in table] == [None, 1, 1]

    def test_a_row_without_optional_keys_has_defaults(self):
        assert Row(id="x").params == {}


class TestLoading:
    def test_a_collection_with_one_experiment_is_enough(self, store, results):
        assert len(open_results(store)) == 12

    def test_a_path_a_locator_a_config_and_a_store_name_the_same(self, tmp_path):
        root = tmp_path / "store"
        run(experiment(), root)
        scoped = metalab.FileStoreConfig(str(root), experiment_id="study:1.0")
        for named in (
            root,
            str(root),
            root.as_uri(),
            metalab.FileStoreConfig(str(root)),
            scoped,
            FileStore(root),
            FileStore(root).scoped("study:1.0"),
            root / "study_1.0",
        ):
            assert len(open_results(named)) == 12
            assert len(open_results(named, "study:1.0")) == 12

    def test_several_experiments_are_listed_and_one_is_chosen(self, store, results):
        run(experiment(version="2.0"), store)
        with pytest.raises(MetalabError, match=r"2 experiments; there are study:1\.0, study:2\.0"):
            metalab.load_results(store)
        assert len(metalab.load_results(store, experiment_id="study:2.0")) == 12

    def test_an_experiment_that_is_not_there_is_named_with_those_that_are(self, store, results):
        with pytest.raises(MetalabError, match=r"no experiment 'other:1'.*study:1\.0"):
            metalab.load_results(store, "other:1")

    def test_another_experiment_than_the_stores_own_is_refused(self, results):
        with pytest.raises(ValueError, match=r"other:1|study:1"):
            open_results(results.store, "other:1")

    def test_an_empty_collection_is_said_in_words(self, tmp_path):
        FileStore(tmp_path / "empty").config.connect()
        with pytest.raises(MetalabError, match="holds no experiment yet"):
            metalab.load_results(tmp_path / "empty")
        with pytest.raises(MetalabError, match="no experiment 'x:1'; there is none"):
            metalab.load_results(tmp_path / "empty", "x:1")

    @pytest.mark.parametrize("name", ["missing", "missing/deeper"])
    def test_a_missing_store_is_an_error_and_is_not_made(self, tmp_path, name):
        with pytest.raises(metalab.StoreNotFoundError, match="missing"):
            metalab.load_results(tmp_path / name)
        with pytest.raises(FileNotFoundError):
            metalab.load_results(tmp_path / name, "x:1")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("bad", [None, 3, ["store"]])
    def test_what_names_no_store_is_refused(self, bad):
        with pytest.raises(TypeError, match="give a path, a locator"):
            metalab.load_results(bad)

    def test_reading_writes_nothing(self, tmp_path):
        run(experiment(), tmp_path / "store")
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        results = metalab.load_results(tmp_path / "store")
        results.table()
        results[0].artifact("curve")
        results[0].log()
        assert results[0].experiment.name == "study"
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
