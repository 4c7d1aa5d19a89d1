"""Copying one store into another, whatever the two are."""

from __future__ import annotations

import uuid

import attrs
import pytest

from contract.memory_store import MemoryStoreConfig
from core.store_tools import EXPERIMENT, made, run_id
from metalab.errors import StoreError, StoreNotFoundError, StoreWarning
from metalab.records import Status
from metalab.store import FileStoreConfig, export_store
from metalab.testing.store.samples import kept_artifact
from metalab.testing.store.telling import fill, said


@pytest.fixture(params=["file to file", "file to memory", "memory to file", "memory to memory"])
def configs(request, tmp_path):
    """Two places where nothing is kept yet."""

    def place(kind, name):
        if kind == "file":
            return FileStoreConfig(tmp_path / name, commit_interval=0.01)
        return MemoryStoreConfig(place=uuid.uuid4().hex)

    one, other = request.param.split(" to ")
    return place(one, "one"), place(other, "other")


@pytest.fixture
def one(configs):
    with configs[0].connect().scoped(EXPERIMENT) as store:
        yield store


@pytest.fixture
def other(configs):
    with configs[1].connect().scoped(EXPERIMENT) as store:
        yield store


def put(store, *records):
    with store.writer("launch") as writer:
        for record in records:
            writer.put(record)


class TestExport:
    def test_everything_that_runs_left_is_copied(self, configs, one, other):
        fill(one)
        counts = export_store(*configs)
        assert counts == {"runs": 2, "derived": 2, "logs": 3, "artifacts": 2}
        assert said(other) == said(one)

    def test_copying_again_adds_nothing(self, configs, one, other):
        fill(one)
        export_store(*configs)
        before = list(other.read().history(other.read().subjects()))
        assert set(export_store(*configs).values()) == {0}
        assert list(other.read().history(other.read().subjects())) == before

    def test_what_is_new_is_copied_alone(self, configs, one, other):
        fill(one)
        export_store(*configs)
        with one.writer("launch") as writer:
            writer.append_log(made(1), "later")
            writer.put(made(1))
            writer.put(made(9))
        one.put_derived(run_id(0), "f", {"x": 3.0})
        assert export_store(*configs) == {"runs": 1, "derived": 1, "logs": 1, "artifacts": 0}
        assert said(other) == said(one)

    def test_a_copy_brought_back_changes_nothing(self, configs, one, other):
        fill(one)
        before = said(one)
        export_store(*configs)
        assert set(export_store(*reversed(configs)).values()) == {0}
        assert said(one) == before

    def test_the_better_of_two_records_counts(self, configs, one, other):
        put(one, made(0, Status.FAILED, attempt=2), made(1, metrics={"x": 1}))
        put(other, made(0, metrics={"x": 2}), made(1, Status.FAILED, attempt=3))
        assert export_store(*configs)["runs"] == 0
        assert other.get_run_record(run_id(0)).metrics == {"x": 2}
        assert other.get_run_record(run_id(1)).metrics == {"x": 1}
        assert len(other.read().attempts(run_id(1))) == 2

    def test_a_run_forgotten_in_one_is_forgotten_in_both(self, configs, one, other):
        put(one, made(0))
        export_store(*configs)
        one.delete_run(run_id(0))
        export_store(*configs)
        assert other.get_run_record(run_id(0)) is None

    def test_a_run_forgotten_at_the_destination_is_not_counted_as_copied(self, configs, one, other):
        put(one, made(0))
        put(other, made(0))
        other.delete_run(run_id(0))
        assert export_store(*configs)["runs"] == 0
        assert run_id(0) not in other.read()

    def test_what_is_not_wanted_is_left_out(self, configs, one, other):
        fill(one)
        counts = export_store(
            *configs, include_artifacts=False, include_derived=False, include_logs=False
        )
        assert counts == {"runs": 2, "derived": 0, "logs": 0, "artifacts": 0}
        assert other.get_derived(run_id(0)) == {}
        assert other.list_logs(run_id(0)) == []
        (small, _) = other.list_artifacts(run_id(0))
        with pytest.raises((StoreError, ValueError)):
            other.open_artifact(small)

    def test_what_was_left_out_is_copied_later(self, configs, one, other):
        fill(one)
        export_store(*configs, include_derived=False, include_logs=False)
        assert export_store(*configs) == {"runs": 0, "derived": 2, "logs": 3, "artifacts": 0}
        assert said(other) == said(one)

    def test_progress_ends_with_all_runs(self, configs, one, other):
        put(one, *map(made, range(300)))
        told = []
        export_store(*configs, progress_callback=lambda *each: told.append(each))
        assert told[-1] == (300, 300)
        assert len(told) > 1

    def test_a_collection_is_copied_experiment_by_experiment(self, configs):
        with configs[0].connect() as source:
            for name in ("a:1", "b:1"):
                put(source.scoped(name), attrs.evolve(made(), experiment_id=name))
        assert export_store(*configs)["runs"] == 2
        assert configs[1].list_experiments() == ["a:1", "b:1"]

    def test_one_experiment_of_a_collection_may_be_chosen(self, configs):
        with configs[0].connect() as source:
            for name in ("a:1", "b:1"):
                put(source.scoped(name), attrs.evolve(made(), experiment_id=name))
        assert export_store(*configs, experiment_id="b:1")["runs"] == 1
        assert configs[1].list_experiments() == ["b:1"]

    def test_open_stores_are_taken_and_stay_usable(self, one, other):
        fill(one)
        export_store(one, other)
        assert said(other) == said(one)
        other.put_derived(run_id(0), "g", {"y": 1})


class TestOverwrite:
    def test_the_source_s_record_counts_with_all_that_belongs_to_it(self, configs, one, other):
        fill(one)
        with other.writer("launch") as writer:
            better = made(0, attempt=7, metrics={"mine": 1})
            writer.append_log(better, "mine")
            writer.put_series(better, "loss", [(0, 1.0)])
            writer.put(better)
        export_store(*configs)
        assert other.get_run_record(run_id(0)).metrics == {"mine": 1}
        assert export_store(*configs, overwrite=True)["runs"] == 1
        record = other.get_run_record(run_id(0))
        assert repr(record.metrics) == repr(one.get_run_record(run_id(0)).metrics)
        assert other.read().series(run_id(0)) == one.read().series(run_id(0))
        assert other.get_log(run_id(0)) == one.get_log(run_id(0))
        assert other.get_log(run_id(0), "Other log") == "other\n"
        (line,) = other.read().lines([run_id(0)])
        assert repr(other.get_derived(run_id(0))["f"]["values"]) == "{'x': nan}"
        assert other.get_derived(run_id(0))["f"]["of"] == line[-10:-2].decode()
        for ours, theirs in zip(
            one.list_artifacts(run_id(0)), other.list_artifacts(run_id(0)), strict=True
        ):
            with one.open_artifact(ours) as left, other.open_artifact(theirs) as right:
                assert left.read() == right.read()

    def test_what_it_displaces_stays_readable(self, configs, one, other):
        put(one, made(0, Status.FAILED))
        put(other, made(0, attempt=2))
        export_store(*configs, overwrite=True)
        assert other.get_run_record(run_id(0)).status is Status.FAILED
        assert len(other.read().attempts(run_id(0))) == 3

    def test_overwriting_twice_is_overwriting_once(self, configs, one, other):
        put(one, made(0, Status.FAILED))
        put(other, made(0))
        assert export_store(*configs, overwrite=True)["runs"] == 1
        assert export_store(*configs, overwrite=True)["runs"] == 0

    def test_a_run_forgotten_at_the_destination_comes_back(self, configs, one, other):
        put(one, made(0))
        put(other, made(0))
        other.delete_run(run_id(0))
        export_store(*configs, overwrite=True)
        assert other.get_run_record(run_id(0)).metrics == {"score": 0.5}

    def test_artifacts_left_out_before_are_brought(self, configs, one, other):
        fill(one)
        export_store(*configs, include_artifacts=False)
        assert export_store(*configs, overwrite=True)["artifacts"] == 2
        with other.open_artifact(other.list_artifacts(run_id(0))[0]) as file:
            assert file.read() == b"small"


class TestRefusals:
    def test_the_source_itself_is_no_destination(self, configs, one):
        fill(one)
        with pytest.raises(ValueError, match="name another destination"):
            export_store(configs[0], configs[0])
        with pytest.raises(ValueError, match="name another destination"):
            export_store(one, configs[0])
        with pytest.raises(ValueError, match="name another destination"):
            export_store(configs[0], one)

    def test_a_missing_source_is_an_error_and_makes_nothing(self, configs):
        with pytest.raises(StoreNotFoundError):
            export_store(*configs)
        with pytest.raises(StoreNotFoundError):
            configs[1].open()

    def test_an_unknown_experiment_is_an_error_and_makes_nothing(self, configs, one):
        fill(one)
        with pytest.raises(StoreError, match=r"no experiment 'x:1' in .* \(there: my_exp:1.0\)"):
            export_store(*configs, experiment_id="x:1")
        with pytest.raises(StoreNotFoundError):
            configs[1].open()

    def test_another_experiment_s_store_is_no_destination(self, configs, one):
        fill(one)
        with pytest.raises(ValueError, match="already scoped to 'x:1'"):
            export_store(configs[0], configs[1].scoped("x:1"))

    def test_an_artifact_whose_bytes_are_gone_is_told_and_the_rest_is_copied(
        self, configs, one, other
    ):
        with one.writer("launch") as writer:
            kept = kept_artifact(writer, made(0), "kept", b"kept")
            lost = attrs.evolve(kept, name="lost", uri=kept.uri.replace("launch", "lost") + "9")
            writer.put(made(0, artifacts=[lost, kept]))
        with pytest.warns(StoreWarning, match="artifact 'lost' was not copied"):
            counts = export_store(*configs)
        assert counts["artifacts"] == 1
        with other.open_artifact(other.list_artifacts(run_id(0))[1]) as file:
            assert file.read() == b"kept"
