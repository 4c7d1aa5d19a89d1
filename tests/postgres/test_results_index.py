"""Results of a store with an index: asked there where it holds the same runs, in files else."""

from __future__ import annotations

import warnings

import pytest

import metalab
from metalab_postgres import PostgresStore, answers
from metalab_postgres.trouble import IndexUnavailable
from postgres.pg_launching import launch
from postgres.pg_tools import fresh_trouble


@metalab.operation
def square(params, capture):
    if params["x"] == 3:
        raise ValueError("three")
    capture.metric("y", params["x"] ** 2)


def launched(store, runs):
    return launch(square, store, runs, replicates=2)


@pytest.fixture
def store(pg_store):
    return pg_store


@pytest.fixture
def asked(monkeypatch):
    """How often the index gave an answer."""
    calls = []

    def counted(*given, ask=answers.answer):
        found = ask(*given)
        calls.append(given)
        return found

    monkeypatch.setattr(answers, "answer", counted)
    return calls


def told(results):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metalab.errors.AggregateWarning)
        return (
            [run.run_id for run in results.where("x > 1 and status = success")],
            [run.run_id for run in results.sort("-y, replicate")],
            results.best("y").run_id,
            results.aggregate("y", by="x"),
        )


def test_the_index_gives_the_answers_of_the_files(store, asked):
    launched(store.to_filestore(), 6)
    from_files = told(metalab.load_results(store.to_filestore()))
    assert not asked
    assert told(metalab.load_results(store)) == from_files
    assert len(asked) == 6


def test_results_stay_those_of_their_moment(store, asked):
    launched(store.to_filestore(), 6)
    results = metalab.load_results(store)
    before = told(results)
    asked.clear()
    launched(store.to_filestore(), 9)
    assert told(results) == before
    assert not asked
    later = told(results.refresh())
    assert later != before
    assert len(asked) == 6


def test_some_of_the_runs_are_asked_by_their_lines(store, asked):
    launched(store.to_filestore(), 6)
    results = metalab.load_results(store)
    assert told(results[:]) == told(results)


def test_without_a_server_the_files_answer(tmp_path, caplog):
    fresh_trouble()  # a process is told once, whichever test it was in
    files = tmp_path / "files"
    launched(str(files), 6)
    away = PostgresStore("host=127.0.0.1 port=1 dbname=x connect_timeout=1", file_root=files)
    found = told(metalab.load_results(away))
    assert caplog.text.count("cannot be reached") == 1
    assert found == told(metalab.load_results(str(files)))


class TestFrame:
    def test_it_is_that_of_the_files(self, store):
        pd = pytest.importorskip("pandas")
        launched(store.to_filestore(), 6)
        store.index.update()
        columns = ["run_id", "status", "param_x", "y", "started_at"]
        found = store.index.frame(columns, "e:1")
        expected = metalab.load_results(store).to_dataframe(columns=columns)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
        again = store.scoped("e:1").index.frame("y")
        pd.testing.assert_series_equal(again["y"], expected["y"])
        assert store.index.frame("z", "e:1") is None

    def test_of_a_collection_an_experiment_has_to_be_named(self, store):
        with pytest.raises(ValueError, match="experiment_id is needed"):
            store.index.frame("y")

    def test_without_a_server_it_says_so(self, tmp_path):
        launched(str(tmp_path), 1)
        away = PostgresStore("host=127.0.0.1 port=1 dbname=x connect_timeout=1", tmp_path)
        with pytest.raises(IndexUnavailable):
            away.index.frame("y", "e:1")
