"""What this store does that is no part of the contract."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import metalab
from metalab.errors import PayloadError, StoreError
from metalab.store import parse_to_config
from metalab.testing.store.samples import EXPERIMENT, kept, made, put, run_id
from metalab_sqlite.config import SqliteStoreConfig


@pytest.fixture
def config(tmp_path):
    return SqliteStoreConfig(tmp_path / "a folder" / "results?.db")


@pytest.fixture
def store(config):
    with config.for_experiment(EXPERIMENT) as made_store:
        yield made_store


@metalab.operation
def squared(params, capture):
    capture.artifact("text", f"the square of {params['x']}")
    return {"y": params["x"] ** 2}


def squares(numbers):
    return metalab.Experiment(
        name="squares",
        version="1",
        context={},
        operation=squared,
        params=metalab.grid(x=list(numbers)),
        seeds=metalab.seeds(base=1),
    )


class TestLocators:
    def test_a_path_of_any_letters_comes_back(self, config):
        assert parse_to_config(config.locator) == config

    @pytest.mark.parametrize("locator", ["sqlite://results.db", "sqlite:///", "sqlite://a/b.db"])
    def test_one_without_a_path_says_what_to_write(self, locator):
        with pytest.raises(ValueError, match=r"write sqlite:///path/to/results\.db"):
            parse_to_config(locator)

    def test_options_stand_in_the_query(self):
        config = parse_to_config("sqlite:///a.db?busy_timeout=5&durability=os")
        assert (config.busy_timeout, config.durability) == (5.0, "os")


class TestFile:
    def test_it_is_its_owner_s_alone(self, config, store):
        assert Path(config.path).stat().st_mode & 0o777 == 0o600

    def test_another_s_database_is_refused_and_left_alone(self, tmp_path):
        path = tmp_path / "theirs.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        before = path.read_bytes()
        with pytest.raises(StoreError, match="none of metalab's"):
            SqliteStoreConfig(path).connect()
        assert path.read_bytes() == before

    def test_a_newer_one_is_refused(self, config, store):
        with closing(sqlite3.connect(config.path)) as connection:
            connection.execute("PRAGMA user_version = 99")
        with pytest.raises(StoreError, match="upgrade"):
            config.open()

    def test_where_nothing_can_be_written_it_is_read_and_nothing_is_made(
        self, config, store, monkeypatch
    ):
        put(store, made())
        store.close()
        folder = Path(config.path).parent
        files = sorted(folder.iterdir())
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        with config.open() as archive:
            assert kept(archive.scoped(EXPERIMENT)) == made()
            assert sorted(folder.iterdir()) == files

    def test_one_that_others_may_write_gives_nothing_to_execute(self, config, store):
        name = store.put_payload(b"code")
        store.checkpoints(run_id(), 0, 1).keep(b"state")
        Path(config.path).chmod(0o666)
        with pytest.raises(StoreError, match="not executed"):
            store.open_payload(name)
        with pytest.raises(PayloadError, match="not executed"):
            store.checkpoints(run_id(), 0, 1).latest()


class TestDurability:
    @pytest.fixture
    def synced(self, store):
        """The levels at which a writer commits, as it goes."""
        levels: list[str] = []

        def note(statement):
            if statement.startswith("PRAGMA synchronous"):
                levels.append(statement.rpartition(" ")[2])

        with store.writer("launch") as writer:
            writer._database._connection().set_trace_callback(note)
            yield writer, levels
            levels.clear()

    def test_the_end_of_a_run_waits_for_the_disk_and_what_leads_to_it_does_not(self, synced):
        writer, levels = synced
        writer.append_log(made(), "a line")
        writer.put_artifact(made(), "a", b"bytes", extension="")
        assert set(levels) == {"NORMAL"}
        writer.put(made(), lambda: levels.append("acknowledged"))
        assert levels[-2:] == ["FULL", "acknowledged"]

    def test_a_flush_waits_once_for_all_that_was_put_before(self, synced):
        writer, levels = synced
        writer.append_log(made(), "a line")
        levels.clear()
        writer.flush()
        writer.flush()
        assert levels == ["FULL"]


class TestTrouble:
    def test_a_file_that_is_busy_for_too_long_is_a_store_error(self, config, store):
        hasty = SqliteStoreConfig(config.path, busy_timeout=0.01).scoped(EXPERIMENT).open
        put(store, made())
        with closing(sqlite3.connect(config.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked"), hasty() as waiting:
                waiting.put_launch("a", {})
        put(store, made(attempt=2))
        assert kept(store).attempt == 2

    def test_a_damaged_line_and_a_damaged_artifact_are_told_and_cost_no_other(self, config, store):
        with store.writer("launch") as writer:
            uri, digest, size = writer.put_artifact(made(), "a", b"bytes", extension="bin")
            artifact = metalab.ArtifactDescriptor("i", "a", "k", "f", uri, digest, size)
            writer.put(made(artifacts=[artifact]))
        put(store, made(number=1, notes="a note"))
        with closing(sqlite3.connect(config.path)) as connection, connection:
            connection.execute("UPDATE kept SET body = x'00' WHERE kind = 'artifact'")
            connection.execute("UPDATE lines SET line = x'00' WHERE subject = ?", (run_id(1),))
        assert sorted(store.read()) == [run_id()]
        assert len(store.read().damage) == 1
        with pytest.raises(StoreError, match="damaged"):
            store.open_artifact(uri)
        found = store.inspect()
        assert sorted(flaw.kind for flaw in found.flaws) == ["artifact", "line"]
        assert not found.is_sound

    def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(self, config, store):
        for state in (b"one", b"two", b"three"):
            store.checkpoints(run_id(), 0, 1).keep(state)
        with closing(sqlite3.connect(config.path)) as connection, connection:
            connection.execute("UPDATE checkpoints SET body = x'00' WHERE body = ?", (b"three",))
        again = store.checkpoints(run_id(), 0, 2)
        assert again.latest() == b"two"
        assert "damaged" in again.warnings[0]

    def test_a_forked_child_goes_on_under_a_name_of_its_own(self, store):
        writer = store.writer("launch")
        writer.put(made())
        name = writer.name
        child = os.fork()
        if child == 0:
            status = 1
            try:
                is_inherited = bool(writer._database._connections)  # which SQLite forbids
                writer.put(made(number=1))
                writer.close()
                status = int(is_inherited or writer.name == name)
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert store.ending(name) is None
        writer.put(made(number=2))
        writer.close()
        assert sorted(store.read()) == [run_id(n) for n in range(3)]


class TestLaunches:
    @pytest.mark.parametrize("executor", ["inline", "thread", {"process": {"max_workers": 2}}])
    def test_what_is_launched_is_kept_and_a_second_launch_executes_only_what_is_new(
        self, config, executor
    ):
        first = metalab.run(squares(range(6)), config.locator, executor, progress=False)
        assert len(first.result().successful) == 6
        more = metalab.run(squares(range(8)), config.locator, executor, progress=False)
        assert more.status.skipped == 6
        assert [run.metrics["y"] for run in more.result()] == [x**2 for x in range(8)]
        results = metalab.load_results(config.locator)
        assert [run.artifact("text") for run in results][:2] == [
            "the square of 0",
            "the square of 1",
        ]
        assert first.store.inspect().is_sound
