"""What every store does, shown on the file store and on one that knows no files."""

from __future__ import annotations

import hashlib
import math
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from contract.memory_store import MemoryStoreConfig
from metalab.errors import StoreError, StoreNotFoundError
from metalab.records import ArtifactDescriptor, Provenance, RunRecord, Status
from metalab.store import Aggregate, FileStoreConfig, Query, StoreConfig
from metalab.store.base import LogLine
from metalab.store.claiming import Claim
from metalab.store.document import document_of, record_of
from metalab.store.names import file_name
from metalab.store.reading import Loss

EXPERIMENT = "my_exp:1.0"
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture(params=["file", "memory"])
def config(request, tmp_path) -> StoreConfig:
    """A place where nothing is kept yet."""
    if request.param == "file":
        return FileStoreConfig(tmp_path / "store", commit_interval=0.02)
    return MemoryStoreConfig(place=uuid.uuid4().hex)


@pytest.fixture
def collection(config):
    with config.connect() as store:
        yield store


@pytest.fixture
def store(collection):
    with collection.scoped(EXPERIMENT) as scoped:
        yield scoped


def run_id(number: int = 0) -> str:
    return f"{number:032x}"


def made(status: Status = Status.SUCCESS, number: int = 0, **fields) -> RunRecord:
    ended = None if status is Status.RUNNING else NOW + timedelta(seconds=1)
    return RunRecord(
        run_id=run_id(number),
        experiment_id=EXPERIMENT,
        status=status,
        context_fingerprint="c" * 32,
        params_fingerprint="d" * 32,
        seed_fingerprint="e" * 32,
        started_at=NOW,
        finished_at=ended,
        duration_ms=None if ended is None else 1000.0,
        launch="launch",
        **fields,
    )


def put(store, *records: RunRecord) -> None:
    with store.writer("launch") as writer:
        for record in records:
            writer.put(record)


class TestRecords:
    def test_a_record_comes_back_equal(self, store):
        record = made(
            metrics={"score": 0.5, "n": 3, "ok": True, "word": "é", "none": None},
            params_resolved={"x": (1, 2), "y": {1: b"\x00"}, "z": 2**70},
            data={"grid": [[1.0, math.inf], []]},
            seed=2**80,
            replicate=0,
            index=7,
            tags=["a", "b"],
            warnings=["careful"],
            notes="a note",
            error={"type": "E", "message": "m", "traceback": "t"},
            manifest="0123456789abcdef",
            provenance=Provenance("0123456789abcdef", "3.11", "0.1", "thread:1", "host", {"k": 1}),
            artifacts=[ArtifactDescriptor("id", "n", "k", "f", "u", "h", 3, {"m": (1,)})],
        )
        put(store, record)
        assert store.get_run_record(run_id()) == record

    def test_awkward_floats_come_back_exactly(self, store):
        floats = [math.nan, math.inf, -math.inf, -0.0, 1e16, 1e300, 5e-324, 0.1, 3.0]
        put(store, made(metrics={str(i): value for i, value in enumerate(floats)}))
        kept = store.get_run_record(run_id()).metrics
        assert [repr(kept[str(i)]) for i in range(len(floats))] == [repr(f) for f in floats]

    def test_a_number_and_its_text_are_told_apart(self, store):
        values = {"a": "NaN", "b": math.nan, "c": 1, "d": 1.0, "e": "1", "f": True}
        put(store, made(metrics=values))
        kept = store.get_run_record(run_id()).metrics
        assert {k: (type(v), repr(v)) for k, v in kept.items()} == {
            k: (type(v), repr(v)) for k, v in values.items()
        }

    def test_a_second_handle_sees_what_was_put(self, config, store):
        put(store, made())
        assert config.open().scoped(EXPERIMENT).get_run_record(run_id()) == made()

    def test_a_run_that_was_never_put_is_absent(self, store):
        assert store.get_run_record(run_id()) is None
        assert not store.run_exists(run_id())
        assert store.list_artifacts(run_id()) == []
        assert store.get_derived(run_id()) == {}

    def test_all_records_are_listed_in_the_order_of_the_plan(self, store):
        put(store, *(made(number=n, index=9 - n) for n in range(10)))
        assert [record.index for record in store.list_run_records()] == list(range(10))

    def test_a_record_that_runs_is_listed_as_running(self, store):
        put(store, made(Status.RUNNING))
        assert [record.status for record in store.list_run_records()] == [Status.RUNNING]
        assert store.run_exists(run_id())

    def test_a_collection_lists_the_records_of_the_experiment_named(self, collection, store):
        put(store, made())
        assert collection.list_run_records(EXPERIMENT) == [made()]

    def test_an_id_that_is_none_is_refused(self, store):
        with (
            store.writer("launch") as writer,
            pytest.raises(ValueError, match=r"32 lower-case hex digits, not '\.\./escaped'"),
        ):
            writer.put(attrs.evolve(made(), run_id="../escaped"))

    def test_what_cannot_be_kept_is_refused_by_its_place(self, store):
        with (
            store.writer("launch") as writer,
            pytest.raises(TypeError, match=r"metrics\['bad'\]"),
        ):
            writer.put(made(metrics={"bad": object()}))
        assert store.get_run_record(run_id()) is None


class TestQuery:
    def test_a_query_chooses_sorts_and_cuts(self, store):
        records = [made(number=n, index=9 - n, metrics={"loss": float(n % 3)}) for n in range(10)]
        put(store, *records, made(Status.FAILED, number=10))
        table = store.query(Query("loss >= 1", sort="-loss", limit=4, columns="index,loss"))
        assert table.values == ((1, 2.0), (4, 2.0), (7, 2.0), (2, 1.0))
        assert store.query(Query("status = failed")).to_dict()["run_id"] == [run_id(10)]

    def test_values_that_json_lacks_are_compared_exactly(self, store):
        values = [2**53 + 1, 2.0**53, math.nan, -0.0, None, 2**70, "é", (1, 2)]
        put(store, *(made(number=n, index=n, metrics={"v": v}) for n, v in enumerate(values)))
        table = store.query(Query(sort="v", columns="index"))
        assert table.to_dict() == {"index": [3, 1, 0, 5, 6, 7, 2, 4]}
        assert len(store.query(Query("v = 9007199254740993"))) == 1

    def test_groups(self, store):
        put(store, *(made(number=n, index=n, metrics={"v": n, "g": n % 2}) for n in range(4)))
        table = store.query(Query(aggregate=Aggregate(by="g", of="v"), columns="g,runs,v.mean"))
        assert table.values == ((0, 2, 1.0), (1, 2, 2.0))

    def test_a_store_without_runs_answers_with_no_row(self, store):
        assert store.query(Query("loss < 1")).values == ()

    def test_only_the_current_record_of_a_run_counts(self, store):
        put(store, made(Status.FAILED), made(attempt=2))
        assert len(store.query(Query("status = failed"))) == 0


class TestFold:
    def test_a_success_is_not_displaced_by_a_later_failure(self, store):
        put(store, made(Status.SUCCESS, attempt=1))
        put(store, made(Status.FAILED, attempt=2))
        assert store.get_run_record(run_id()).status is Status.SUCCESS

    def test_a_late_success_displaces_a_failure_of_a_later_attempt(self, store):
        put(store, made(Status.FAILED, attempt=2))
        put(store, made(Status.SUCCESS, attempt=1))
        assert store.get_run_record(run_id()).status is Status.SUCCESS

    def test_a_later_attempt_displaces_an_equal_one(self, store):
        put(store, made(attempt=2, metrics={"x": 2}), made(attempt=1, metrics={"x": 1}))
        assert store.get_run_record(run_id()).metrics == {"x": 2}

    def test_a_higher_epoch_displaces_everything(self, store):
        put(store, made(Status.SUCCESS, attempt=5), made(Status.RUNNING, epoch=1))
        assert store.get_run_record(run_id()).status is Status.RUNNING

    def test_every_attempt_stays_readable_oldest_first(self, store):
        put(store, made(Status.FAILED, attempt=2), made(Status.FAILED, attempt=1))
        put(store, made(Status.SUCCESS, attempt=3), made(Status.RUNNING, attempt=3))
        lines = store.read().attempts(run_id())
        assert [record_of(line).attempt for line in lines] == [1, 2, 3]
        assert store.read().attempts(run_id(1)) == []

    def test_the_state_says_what_resuming_needs(self, store):
        record = made(Status.FAILED, epoch=2, attempt=3, provenance=Provenance("ab12"))
        put(store, record)
        state = store.read().state(run_id())
        assert (state.status, state.epoch, state.attempt) == (Status.FAILED, 2, 3)
        assert state.code == "ab12"


class TestReading:
    def test_a_log_counts_and_names_the_runs(self, store):
        put(store, *(made(number=n) for n in range(3)))
        log = store.read()
        assert len(log) == 3
        assert set(log) == {run_id(n) for n in range(3)}
        assert run_id(2) in log
        assert run_id(3) not in log
        assert 7 not in log
        assert log.damage == ()

    def test_states_of_many_are_those_of_each(self, store):
        put(store, made(), made(Status.FAILED, number=1), made(Status.RUNNING, number=2))
        log = store.read()
        asked = [run_id(n) for n in (2, 3, 0, 1, 0)]
        assert list(log.states(iter(asked))) == [log.state(each) for each in asked]

    def test_blocks_hold_the_lines_of_all_runs_or_of_those_asked_for(self, store):
        put(store, *(made(number=n) for n in range(5)))
        log = store.read()
        assert sorted(b"\n".join(log.blocks()).split(b"\n")) == sorted(log.lines())
        asked = [run_id(n) for n in (4, 0, 4)]
        assert b"\n".join(log.blocks(asked)).split(b"\n") == list(log.lines(asked))

    def test_lines_come_in_the_order_asked_for_even_twice(self, store):
        put(store, *(made(number=n) for n in range(5)))
        wanted = [run_id(n) for n in (4, 0, 4, 2)]
        assert [record_of(line).run_id for line in store.read().lines(wanted)] == wanted

    def test_all_lines_come_when_none_is_named(self, store):
        put(store, *(made(number=n) for n in range(5)))
        assert {record_of(line).run_id for line in store.read().lines()} == {
            run_id(n) for n in range(5)
        }

    def test_a_line_is_the_record_s_document(self, store):
        put(store, made(metrics={"x": 1}))
        (line,) = store.read().lines()
        assert record_of(line) == made(metrics={"x": 1})
        assert document_of(made())["t"] == "run"

    def test_a_line_of_a_run_without_a_record_is_a_key_error(self, store):
        with pytest.raises(KeyError):
            next(store.read().lines([run_id()]))

    def test_a_log_does_not_change_when_the_store_does(self, store):
        put(store, made())
        log = store.read()
        put(store, made(number=1))
        assert len(log) == 1
        assert len(store.read(log)) == 2

    def test_reading_on_gives_what_reading_anew_gives(self, config, store):
        log = store.read()
        for n in range(4):
            put(store, made(Status.FAILED, number=n), made(number=n // 2))
            log = store.read(log)
        anew = config.open().scoped(EXPERIMENT).read()
        assert {i: log.state(i) for i in log} == {i: anew.state(i) for i in anew}

    def test_reading_twice_is_reading_once(self, store):
        put(store, made())
        first = store.read()
        again = store.read(first)
        assert list(again.lines()) == list(first.lines())


class TestSeries:
    def test_points_come_back_in_the_order_written(self, store):
        record = made()
        with store.writer("launch") as writer:
            writer.put_series(record, "loss", [(0, 1.0), (1, math.inf)])
            writer.put_series(record, "other", [(0.5, "text")])
            writer.put_series(record, "loss", [(2, 2**70)])
            writer.put(record)
        assert store.read().series(run_id()) == {
            "loss": [(0, 1.0), (1, math.inf), (2, 2**70)],
            "other": [(0.5, "text")],
        }

    def test_an_earlier_attempt_s_points_are_not_mixed_in(self, store):
        with store.writer("launch") as writer:
            writer.put_series(made(attempt=1), "loss", [(0, 1.0)])
            writer.put(made(Status.FAILED, attempt=1))
            writer.put_series(made(attempt=2), "loss", [(0, 2.0)])
            writer.put(made(attempt=2))
        assert store.read().series(run_id()) == {"loss": [(0, 2.0)]}

    def test_two_writers_of_one_attempt_do_not_mix_their_points(self, store):
        for value in (1.0, 2.0):
            with store.writer("launch") as writer:
                writer.put_series(made(), "loss", [(0, value), (1, value)])
                writer.put(made(metrics={"value": value}))
        winner = store.get_run_record(run_id()).metrics["value"]
        assert store.read().series(run_id()) == {"loss": [(0, winner), (1, winner)]}

    def test_the_points_of_a_worker_that_died_are_kept(self, store):
        with store.writer("launch") as writer:
            writer.put_series(made(), "loss", [(0, 1.0)])
        put(store, made(Status.FAILED))
        assert store.read().series(run_id()) == {"loss": [(0, 1.0)]}

    def test_a_run_without_series_has_none(self, store):
        put(store, made())
        assert store.read().series(run_id()) == {}
        assert store.read().series(run_id(1)) == {}


class TestDerived:
    def test_values_are_kept_by_the_name_of_their_function(self, store):
        put(store, made())
        store.put_derived(run_id(), "f", {"x": math.nan}, code="ab")
        store.put_derived(run_id(), "g", {"y": 1})
        kept = store.get_derived(run_id())
        assert sorted(kept) == ["f", "g"]
        assert math.isnan(kept["f"]["values"]["x"])
        assert kept["f"]["code"] == "ab"

    def test_the_latest_values_of_a_function_count(self, store):
        put(store, made())
        for value in (1, 2, 3):
            store.put_derived(run_id(), "f", {"x": value})
        assert store.get_derived(run_id())["f"]["values"] == {"x": 3}

    def test_values_of_a_record_that_was_displaced_are_told_apart(self, store):
        put(store, made(attempt=1))
        store.put_derived(run_id(), "f", {"x": 1})
        of = store.get_derived(run_id())["f"]["of"]
        put(store, made(attempt=2))
        assert store.get_derived(run_id())["f"]["of"] == of
        store.put_derived(run_id(), "f", {"x": 2})
        assert store.get_derived(run_id())["f"]["of"] != of
        assert store.get_derived(run_id())["f"]["values"] == {"x": 2}

    def test_a_run_without_a_record_has_nothing_to_derive_from(self, store):
        with pytest.raises(KeyError):
            store.put_derived(run_id(), "f", {"x": 1})


class TestForgetting:
    def test_a_forgotten_run_counts_as_never_run(self, store):
        put(store, made(), made(number=1))
        store.put_derived(run_id(), "f", {"x": 1})
        store.delete_run(run_id())
        log = store.read()
        assert log.state(run_id()) is None
        assert run_id() not in log
        assert list(log) == [run_id(1)]
        assert len(log) == 1
        assert log.derived(run_id()) == {}
        assert [record_of(line).run_id for line in log.lines()] == [run_id(1)]
        assert list(log.blocks()) == list(log.lines())
        assert [state is None for state in log.states([run_id(), run_id(1)])] == [True, False]
        with pytest.raises(KeyError):
            next(log.lines([run_id()]))

    def test_it_begins_anew_in_the_next_epoch(self, store):
        put(store, made(epoch=3))
        assert store.read().forgotten(run_id()) == 0
        store.delete_run(run_id())
        assert store.read().forgotten(run_id()) == 4

    def test_a_late_record_of_before_does_not_bring_it_back(self, store):
        put(store, made(Status.FAILED))
        store.delete_run(run_id())
        put(store, made(attempt=9))
        assert store.get_run_record(run_id()) is None

    def test_a_record_put_anew_counts(self, store):
        put(store, made())
        store.delete_run(run_id())
        store.put_run_record(made(metrics={"x": 2}))
        assert store.get_run_record(run_id()).metrics == {"x": 2}

    def test_two_that_forget_a_run_at_once_forget_it_once(self, store):
        put(store, made())
        for _ in range(2):
            with store.writer("launch") as writer:
                writer.forget(run_id(), 1)
        log = store.read()
        assert (len(log), list(log), log.forgotten(run_id())) == (0, [], 1)

    def test_a_run_that_came_back_was_forgotten_all_the_same(self, store):
        put(store, made(epoch=2))
        with store.writer("launch") as writer:
            writer.forget(run_id(), 2)
        log = store.read()
        assert (len(log), log.state(run_id()).epoch, log.forgotten(run_id())) == (1, 2, 2)

    def test_several_runs_are_forgotten_at_once(self, store):
        for n in range(3):
            store.put_run_record(made(number=n))
        store.delete_runs([run_id(0), run_id(2), run_id(9), run_id(0)])
        assert list(store.read()) == [run_id(1)]
        assert store.read().forgotten(run_id(2)) == 1

    def test_forgetting_what_is_unknown_is_nothing(self, store):
        store.delete_run(run_id())
        assert store.read().forgotten(run_id()) == 0

    def test_its_attempts_stay_readable(self, store):
        put(store, made())
        store.delete_run(run_id())
        assert len(store.read().attempts(run_id())) == 1


class TestCopying:
    def test_the_history_of_a_run_is_every_line_about_it(self, store):
        with store.writer("launch") as writer:
            writer.put(made(Status.FAILED))
            writer.put_series(made(attempt=2), "loss", [(0, 1.0)])
            writer.put(made(attempt=2))
            writer.put(made(number=1))
        store.put_derived(run_id(), "f", {"x": 1})
        store.delete_run(run_id(1))
        log = store.read()
        histories = list(log.history([run_id(1), run_id(9), run_id(), run_id(1)]))
        assert [len(lines) for lines in histories] == [2, 0, 4, 2]
        assert not any(line.endswith(b"\n") for lines in histories for line in lines)

    def test_every_run_that_a_line_is_about_is_a_subject_once(self, store):
        with store.writer("launch") as writer:
            writer.put(made())
            writer.put(made(attempt=2))
            writer.put_series(made(number=1), "loss", [(0, 1.0)])
            writer.forget(run_id(2), 1)
        assert sorted(store.read().subjects()) == [run_id(0), run_id(1), run_id(2)]

    def test_a_copied_line_stays_as_it_is_and_counts_as_it_did(self, config, store):
        put(store, made(attempt=2, metrics={"x": 2}))
        (line,) = store.read().lines()
        with config.scoped("other:1").connect() as other, other.writer("copy") as writer:
            writer.put(made(attempt=1))
            writer.put(made(Status.FAILED, attempt=9))
            assert writer.copy(line).rstrip(b"\n") == line
            assert list(other.read().lines([run_id()])) == [line]

    def test_a_line_copied_twice_is_one_attempt(self, store):
        put(store, made())
        (line,) = store.read().lines()
        with store.writer("copy") as writer:
            writer.copy(line)
        assert store.read().attempts(run_id()) == [line]

    def test_logs_are_those_of_every_attempt_by_writer_in_order(self, store):
        with store.writer("launch") as writer:
            writer.append_log(made(), "one\ntwo")
            writer.append_log(made(attempt=2), "three", "Name")
            writer.put(made(attempt=2))
            name = writer.name
        with store.writer("launch") as writer:
            writer.append_log(made(number=1), "")
        logs = store.logs()
        assert (
            list(logs[name])
            == list(logs[name])
            == [
                LogLine(run_id(), 0, 1, "run", "one"),
                LogLine(run_id(), 0, 1, "run", "two"),
                LogLine(run_id(), 0, 2, file_name("Name"), "three"),
            ]
        )
        assert len(logs) == 2

    def test_copied_log_lines_follow_those_that_are_there(self, store):
        with store.writer("launch") as writer:
            writer.append_log(made(), "one")
            writer.put(made())
            name = writer.name
        for text in ("two", "three"):
            with store.writer("copy") as writer:
                writer.copy_log(name, [LogLine(run_id(), 0, 1, "run", text)])
                writer.copy_log("other.0.h.t", [])
        assert store.get_log(run_id()) == "one\ntwo\nthree\n"
        assert list(store.logs()) == [name]

    def test_a_configuration_holds_itself_and_its_experiments(self, config):
        scoped = config.scoped(EXPERIMENT)
        assert config.holds(config)
        assert config.holds(scoped)
        assert scoped.holds(scoped)
        assert not scoped.holds(config)
        assert not scoped.holds(config.scoped("other:1"))


class TestPutRunRecord:
    def test_the_launch_of_a_copied_record_is_kept(self, store):
        store.put_run_record(made())
        assert store.get_run_record(run_id()) == made()

    def test_a_record_without_a_launch_is_still_the_same_record(self, store):
        store.put_run_record(attrs.evolve(made(), launch=None))
        store.put_run_record(attrs.evolve(made(), launch=None))
        assert len(store.read().attempts(run_id())) == 1
        assert store.get_run_record(run_id()).launch == "manual"

    def test_the_same_record_twice_is_one_attempt(self, store):
        store.put_run_record(made(metrics={"x": math.nan}))
        store.put_run_record(made(metrics={"x": math.nan}))
        assert len(store.read().attempts(run_id())) == 1

    def test_a_changed_record_is_a_further_attempt(self, store):
        store.put_run_record(made(metrics={"x": 1}))
        store.put_run_record(made(metrics={"x": 2}))
        record = store.get_run_record(run_id())
        assert (record.metrics, record.attempt) == ({"x": 2}, 2)

    def test_a_failure_does_not_displace_a_success(self, store):
        store.put_run_record(made())
        store.put_run_record(made(Status.FAILED))
        assert store.get_run_record(run_id()).status is Status.SUCCESS


class TestArtifacts:
    @pytest.mark.parametrize("size", [0, 1, 511, 512, 256 << 10, (256 << 10) + 1, 3_000_000])
    def test_bytes_come_back(self, store, size):
        data = bytes(range(256)) * (size // 256 + 1)
        with store.writer("launch") as writer:
            uri, digest, kept = writer.put_artifact(made(), "a/b ü", data[:size], extension="bin")
        assert kept == size
        assert len(digest) == 64
        with store.open_artifact(uri) as file:
            assert file.read() == data[:size]

    @pytest.mark.parametrize("size", [10, 1_000_000])
    def test_a_file_is_copied(self, store, tmp_path, size):
        path = tmp_path / "file"
        path.write_bytes(b"x" * size)
        with store.writer("launch") as writer:
            uri, digest, kept = writer.put_artifact(made(), "f", path, extension="")
        path.unlink()
        descriptor = ArtifactDescriptor("id", "f", "file", "file", uri, digest, kept)
        with store.open_artifact(descriptor) as file:
            assert file.read() == b"x" * size

    @pytest.mark.parametrize(
        "uri",
        [
            "/etc/passwd",
            "../../../etc/passwd",
            "artifacts/../../../etc/passwd",
            "artifacts/..",
            "packs/../x.tar#0+1",
            "packs/x.tar#-1+1",
            "file:///etc/passwd",
            "C:\\windows",
            "",
        ],
    )
    def test_a_uri_that_leaves_the_store_is_refused(self, store, uri):
        with pytest.raises(ValueError, match="is no artifact of this store"):
            store.open_artifact(uri)

    def test_artifacts_are_listed_from_the_current_record(self, store):
        descriptor = ArtifactDescriptor("id", "a", "k", "f", "packs/x.tar#0+1")
        put(store, made(artifacts=[descriptor]))
        assert store.list_artifacts(run_id()) == [descriptor]


class TestLogs:
    def test_lines_come_back_in_order(self, store):
        with store.writer("launch") as writer:
            writer.append_log(made(), "one")
            writer.append_log(made(), "two\nthree ü")
            writer.append_log(made(), "elsewhere", "my log")
            writer.put(made())
        assert store.get_log(run_id()) == "one\ntwo\nthree ü\n"
        assert store.get_log(run_id(), "my log") == "elsewhere\n"
        assert store.list_logs(run_id()) == ["my log", "run"]

    def test_runs_and_attempts_do_not_mix(self, store):
        with store.writer("launch") as writer:
            for n, attempt in ((0, 1), (1, 1), (0, 2), (1, 1)):
                writer.append_log(made(number=n, attempt=attempt), f"{n} {attempt}")
            writer.put(made(attempt=2))
            writer.put(made(number=1))
        assert store.get_log(run_id()) == "0 2\n"
        assert store.get_log(run_id(1)) == "1 1\n1 1\n"

    def test_a_log_is_there_before_the_run_has_ended(self, store):
        with store.writer("launch") as writer:
            writer.append_log(made(), "early")
            assert store.get_log(run_id()) == "early\n"

    def test_the_log_of_a_worker_that_died_is_kept(self, store):
        with store.writer("launch") as writer:
            writer.append_log(made(), "last words")
        put(store, made(Status.FAILED))
        assert store.get_log(run_id()) == "last words\n"

    def test_no_log_is_none(self, store):
        put(store, made())
        assert store.get_log(run_id()) is None
        assert store.list_logs(run_id()) == []

    def test_people_are_told_where_a_writer_s_logs_lie(self, store):
        with store.writer("launch") as writer, store.writer("launch") as silent:
            writer.append_log(made(), "a line")
            writer.put(made())
            silent.put(made(number=1))
        assert writer.name in store.place_of_log(writer.name)
        assert store.place_of_log(silent.name) == ""


class TestManifestsAndLaunches:
    def test_equal_manifests_are_kept_once(self, store):
        first = store.put_manifest({"a": 1, "b": [None, "é"]})
        assert store.put_manifest({"b": [None, "é"], "a": 1}) == first
        assert store.manifests() == {first: {"a": 1, "b": [None, "é"]}}

    def test_the_newest_manifest_is_the_experiment_s(self, collection, store):
        assert store.get_experiment_manifest() is None
        store.put_manifest({"a": 1})
        time.sleep(0.02)  # a file's age is known to a few milliseconds
        store.put_manifest({"a": 2})
        assert store.get_experiment_manifest() == {"a": 2}
        assert collection.get_experiment_manifest(EXPERIMENT) == {"a": 2}

    def test_launches_come_back_by_name(self, store):
        store.put_launch("b", {"n": 1})
        time.sleep(0.02)
        store.put_launch("a", {"n": 2})
        store.put_launch("a", {"n": 2})
        assert list(store.launches().items()) == [("b", {"n": 1}), ("a", {"n": 2})]

    def test_a_launch_is_described_once(self, store):
        store.put_launch("a", {"n": 2})
        with pytest.raises(StoreError):
            store.put_launch("a", {"n": 3})


class TestPatches:
    def test_what_was_put_comes_back_by_its_hash(self, store):
        data = bytes(range(256)) * 100
        name = store.put_patch(data)
        assert name == hashlib.sha256(data).hexdigest()
        assert store.put_patch(data) == name
        assert store.config.open().get_patch(name) == data

    def test_one_that_is_not_there_is_none(self, store):
        store.put_patch(b"another")
        assert store.get_patch("0" * 64) is None
        assert store.get_patch("../experiment") is None


class TestPayloads:
    def test_what_was_put_comes_back_by_its_hash(self, store):
        data = bytes(range(256)) * 100
        name = store.put_payload(data)
        assert name == hashlib.sha256(data).hexdigest()
        assert store.put_payload(data) == name
        with store.config.open().open_payload(name) as file:
            assert file.read() == data

    def test_one_that_is_not_there_is_a_store_error(self, store):
        store.put_payload(b"another")
        with pytest.raises(StoreError):
            store.open_payload("../experiment")


class TestCheckpoints:
    def test_later_attempts_of_an_epoch_go_on_from_the_newest(self, store):
        assert store.checkpoints(run_id(), 0, 1).latest() is None
        store.checkpoints(run_id(), 0, 1).keep(b"one")
        store.checkpoints(run_id(), 0, 1).keep(b"two")
        assert store.checkpoints(run_id(), 0, 1).latest() == b"two"
        assert store.checkpoints(run_id(), 0, 3).latest() == b"two"
        assert store.checkpoints(run_id(), 1, 1).latest() is None
        assert store.checkpoints(run_id(1), 0, 1).latest() is None

    def test_it_is_told_which_attempt_has_kept_one(self, store):
        store.checkpoints(run_id(), 0, 2).keep(b"state")
        again = store.config.connect()
        assert again.has_checkpoint(run_id(), 0, 2)
        assert not again.has_checkpoint(run_id(), 0, 1)
        assert not again.has_checkpoint(run_id(1), 0, 2)

    def test_they_go_when_their_run_is_forgotten(self, store):
        put(store, made(Status.FAILED))
        store.checkpoints(run_id(), 0, 1).keep(b"state")
        store.checkpoints(run_id(1), 0, 1).keep(b"another's")
        store.delete_run(run_id())
        assert store.checkpoints(run_id(), 0, 1).latest() is None
        assert store.checkpoints(run_id(1), 0, 1).latest() == b"another's"


class TestWriters:
    def test_everything_put_is_acknowledged_once_after_a_flush(self, store):
        acknowledged = []
        with store.writer("launch") as writer:
            for n in range(20):
                writer.put(made(number=n), lambda n=n: acknowledged.append(n))
            writer.flush()
            assert acknowledged == list(range(20))
        assert acknowledged == list(range(20))

    def test_what_was_put_is_readable_at_once(self, config, store):
        with store.writer("launch") as writer:
            writer.put(made())
            assert config.open().scoped(EXPERIMENT).run_exists(run_id())

    def test_writers_have_names_of_their_own(self, store):
        with store.writer("launch") as one, store.writer("launch") as two:
            assert one.name != two.name
            assert one.name.startswith("launch.0.")

    def test_threads_share_a_writer(self, store):
        with store.writer("launch") as writer:

            def work(worker: int) -> None:
                for n in range(50):
                    writer.put(made(number=worker * 50 + n))

            threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(store.read()) == 200
        assert store.read().damage == ()

    def test_two_writers_of_one_run_leave_one_record(self, store):
        with store.writer("a") as one, store.writer("b") as two:
            one.put(made(metrics={"x": 1}))
            two.put(made(metrics={"x": 2}))
        first = store.get_run_record(run_id())
        assert len(store.list_run_records()) == 1
        assert store.get_run_record(run_id()) == first

    def test_a_closed_writer_refuses_and_closing_twice_is_nothing(self, store):
        writer = store.writer("launch")
        writer.put(made())
        writer.close()
        writer.close()
        with pytest.raises(StoreError, match="closed"):
            writer.put(made())

    def test_a_writer_that_wrote_nothing_leaves_nothing(self, config, store):
        store.writer("launch").close()
        assert config.list_experiments() == []


class TestCollections:
    def test_experiments_are_listed_sorted(self, config, collection):
        for name in ("b:1", "a:2", "a:1"):
            put(collection.scoped(name), made())
        assert collection.list_experiments() == ["a:1", "a:2", "b:1"]
        assert config.list_experiments() == ["a:1", "a:2", "b:1"]

    def test_experiments_do_not_see_each_other(self, collection):
        put(collection.scoped("a:1"), made())
        assert collection.scoped("b:1").list_run_records() == []

    def test_a_collection_wants_an_experiment(self, collection):
        for use in (
            collection.read,
            lambda: collection.writer("launch"),
            lambda: collection.put_manifest({}),
            lambda: collection.get_log(run_id()),
            collection.list_run_records,
        ):
            with pytest.raises(ValueError, match="scoped"):
                use()

    def test_scoping_to_the_same_is_itself_to_another_refused(self, store):
        assert store.is_scoped
        assert store.scoped(EXPERIMENT) is store
        with pytest.raises(ValueError, match="already scoped"):
            store.scoped("other:1")

    def test_opening_what_is_not_there_is_an_error_and_makes_nothing(self, config):
        with pytest.raises(StoreNotFoundError):
            config.open()
        assert config.list_experiments() == []
        with pytest.raises(StoreNotFoundError):
            config.open()

    def test_opening_an_experiment_that_is_not_there_is_an_error(self, config, collection):
        with pytest.raises(StoreNotFoundError):
            config.scoped(EXPERIMENT).open()

    def test_a_configuration_opens_its_store_again(self, config, store):
        put(store, made())
        assert store.config.open().run_exists(run_id())
        assert store.config.experiment_id == EXPERIMENT
        assert config.for_experiment(EXPERIMENT).run_exists(run_id())

    def test_a_closed_store_can_be_used_again(self, store):
        store.put_run_record(made())
        store.close()
        store.put_run_record(made(number=1))
        assert len(store.read()) == 2


class TestSharing:
    """What launches that share a plan need."""

    PLAN = "f" * 32

    def test_of_two_that_claim_a_unit_one_gets_it(self, store):
        mine, other = store.claims(self.PLAN, 100), store.claims(self.PLAN, 100)
        assert mine.size == other.size >= 1
        assert mine.take(Claim(0, 1, "a", "x"))
        assert not other.take(Claim(0, 1, "b", "y"))
        assert other.take(Claim(0, 2, "b", "y"))
        assert mine.owners() == {0: Claim(0, 2, "b", "y")}

    def test_a_writer_is_over_once_it_has_closed(self, store):
        writer = store.writer("launch")
        writer.join(self.PLAN)
        assert store.ending(writer.name) is None
        writer.close()
        assert store.ending(writer.name).closed

    def test_what_is_lost_and_what_is_released_can_be_read(self, store):
        losses = [Loss(0, 2, "dead", "killed"), Loss(0, 1, "dead", "silent")]
        with store.writer("launch") as writer:
            for loss in losses:
                writer.put_loss(run_id(), loss)
                writer.put_loss(run_id(), loss)
            writer.release(self.PLAN, [3, 5])
        log = store.read()
        assert list(log.losses(run_id())) == [losses[1], losses[0]]
        assert list(log.losses(run_id(1))) == []
        assert log.released(self.PLAN) == {3: {writer.name}, 5: {writer.name}}
        assert log.released("another") == {}
        assert len(log) == 0

    def test_a_run_that_must_not_begin_unseen_is_on_record_when_start_returns(self, store):
        with store.writer("launch") as writer:
            writer.start(run_id(), lambda: made(Status.RUNNING), careful=True)
            assert store.read().state(run_id()).status is Status.RUNNING
            writer.put(made())
        assert store.read().state(run_id()).status is Status.SUCCESS
