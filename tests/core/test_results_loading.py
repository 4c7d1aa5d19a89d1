"""Loading results: from wherever a user says they are, in plan order, however many."""

from __future__ import annotations

import pytest

import metalab
from memory_tools import traced_memory
from metalab.errors import MetalabError
from metalab.records import RunRecord
from metalab.results import Results, open_results
from metalab.results.rows import Values
from metalab.store import FileStore
from studies import experiment, run


@pytest.fixture
def results(store):
    return run(experiment(), store)


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
        with traced_memory() as taken:
            results = Results.from_store(many)
            assert results[0].metrics["score"] == 0
        # An id is a string of 81 bytes; one decoded record takes some 3,000.
        assert taken.held / MANY < 400

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
        assert Values(id="x").params == {}

    def test_runs_of_equal_index_are_ordered_by_their_ids(self, tmp_path):
        store = FileStore(tmp_path).scoped("ties:1")
        with store.writer("abcdef") as writer:
            for number in (3, 1, 2, 0):
                run_id = f"{number:032x}"
                writer.put(
                    RunRecord.success(run_id=run_id, experiment_id="ties:1", index=number // 2)
                )
        by_table, by_ids = Results.from_store(store), Results.from_store(store)
        assert [row["run_id"][-1] for row in by_table.table()] == ["0", "1", "2", "3"]
        assert [run.run_id[-1] for run in by_ids] == ["0", "1", "2", "3"]
