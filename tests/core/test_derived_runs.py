"""Derived metrics while runs are executed: after each success, and for runs that lack them."""

from __future__ import annotations

import logging
import warnings

import pytest

import metalab
from metalab.derived import (
    as_derived_metrics,
)
from metalab.records import RunRecord
from metalab.results import Results
from metalab.results.derived import Deriver, derive, lacking
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


@pytest.fixture
def results(store):
    return run(store)


class TestWhileRunning:
    def test_they_are_kept_after_each_success(self, store):
        results = run(store, derived_metrics=[doubled, parts])
        assert results[0].derived == {"doubled": 20, "half": 5.0, "n_words": 1}
        assert results.failed[0].derived == {}

    def test_numpy_scalars_leave_the_run_a_success(self, store):
        np = pytest.importorskip("numpy")

        def count(run):
            return np.int64(run.metrics["y"])

        results = run(store, derived_metrics=[count])
        assert len(results.successful) == 2
        assert results[0].derived == {"count": 10}

    def test_a_failing_function_leaves_the_run_a_success_and_is_logged(self, store, caplog):
        with caplog.at_level(logging.WARNING, "metalab"):
            results = run(store, derived_metrics=[fragile])
        assert len(results.successful) == 2
        assert results[0].derived == {}
        assert results[0].run_id in caplog.text
        assert "ZeroDivisionError" in caplog.text

    def test_skipped_runs_that_lack_them_get_them(self, store):
        run(store, xs=(1,))
        results = run(store, xs=(1, 2), derived_metrics=[doubled])
        assert [r.derived for r in results] == [{"doubled": 20}, {"doubled": 40}]
        assert [len(r.attempts()) for r in results] == [1, 1]

    def test_nothing_is_computed_twice(self, store):
        seen = []

        def counting(run):
            seen.append(run.run_id)
            return 1

        metric = as_derived_metrics(counting)
        run(store, xs=(1, 2), derived_metrics=metric)
        run(store, xs=(1, 2), derived_metrics=metric)
        assert len(seen) == 2

    def test_threads_compute_each_once(self, store):
        results = run(
            store,
            xs=range(10, 60),
            executor={"thread": {"max_workers": 4}},
            derived_metrics=[doubled],
        )
        assert [r.derived["doubled"] for r in results] == [x * 20 for x in range(10, 60)]
        log = results.store.read()
        assert {log.derived(r.run_id)["doubled"]["rev"] for r in results} == {1}


class TestDeriver:
    def stored(self, tmp_path, runs):
        store = FileStore(tmp_path).scoped("e:1")
        with store.writer("abcdef") as writer:
            for place in range(runs):
                writer.put(
                    RunRecord.success(
                        run_id=f"{place:032x}",
                        experiment_id="e:1",
                        metrics={"y": place},
                        index=place,
                    )
                )
        return store

    def test_runs_that_follow_quickly_are_gathered(self, tmp_path, monkeypatch):
        store = self.stored(tmp_path, 500)
        monkeypatch.setattr("metalab.results.derived._PAUSE", 600)  # however slow this machine is
        reads = []
        read = type(store).read
        monkeypatch.setattr(
            type(store), "read", lambda self, since=None: reads.append(1) or read(self, since)
        )
        deriver = Deriver(store, as_derived_metrics(doubled))
        for place in range(500):
            deriver.add(f"{place:032x}")
        deriver.flush()
        assert len(reads) < 5
        monkeypatch.undo()
        assert [r.derived["doubled"] for r in Results.from_store(store)] == [
            place * 2 for place in range(500)
        ]

    def test_the_first_is_computed_at_once(self, tmp_path):
        store = self.stored(tmp_path, 1)
        Deriver(store, as_derived_metrics(doubled)).add("0" * 32)
        assert Results.from_store(store)[0].derived == {"doubled": 0}

    def test_the_workers_writer_is_used_when_there_is_one(self, tmp_path):
        store = self.stored(tmp_path, 1)
        segments = len(list(tmp_path.rglob("*.jsonl")))
        with store.writer("ghijkl") as writer:
            deriver = Deriver(store, as_derived_metrics(doubled), writer)
            deriver.add("0" * 32)
        assert len(list(tmp_path.rglob("*.jsonl"))) == segments + 1
        assert any("ghijkl" in path.name for path in tmp_path.rglob("*.jsonl"))

    def test_derive_and_lacking_agree(self, tmp_path):
        store = self.stored(tmp_path, 3)
        ids = [f"{place:032x}" for place in range(3)]
        metrics = as_derived_metrics(doubled)
        assert list(lacking(store.read(), ids, range(3), ())) == []
        assert list(lacking(store.read(), ids, range(3), metrics)) == [0, 1, 2]
        derive(store, ids[1], metrics)
        assert list(lacking(store.read(), ids, range(3), metrics)) == [0, 2]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            derive(store, ids[1], metrics)
