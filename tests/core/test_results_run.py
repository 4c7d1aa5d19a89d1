"""Runs: what one left behind, and what is said of what it did not."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

import metalab
from metalab.errors import MetalabError
from metalab.records import Provenance, Status
from metalab.results import Results, Run
from metalab.store import FileStore
from studies import experiment, record, run


@pytest.fixture
def results(store):
    return run(experiment(), store)


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
