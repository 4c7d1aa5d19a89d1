"""A database in trouble never costs a result: one notice, and the index catches up later."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psycopg
import pytest

import metalab
from metalab.store import FileStore, PostgresStore, PostgresStoreConfig, Query
from metalab_postgres import connection, ingestion, migrations, rebuilding
from metalab_postgres.trouble import IndexReadOnly, IndexRefused, IndexUnavailable
from postgres import pg_tools
from postgres.pg_tools import index_of, line, run_id, runs_of, store_at

_PATIENCE = 60.0


@metalab.operation
def double(params, capture):
    capture.metric("y", 2 * params["x"])


def experiment(points=3, name="trouble"):
    return metalab.Experiment(
        name=name,
        version="1",
        context={},
        operation=double,
        params=metalab.grid(x=list(range(points))),
        seeds=metalab.seeds(1),
    )


def until(condition):
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def statement(dsn, text):
    with psycopg.connect(dsn, autocommit=True) as connection:
        return (
            connection.execute(text).fetchall()
            if text.startswith("SELECT")
            else connection.execute(text)
        )


@pytest.fixture(autouse=True)
def untold():
    pg_tools.fresh_trouble()


class TestLaunches:
    def test_the_readme_runs_in_a_fresh_process(self, pg_dsn, tmp_path):
        joint = "&" if "?" in pg_dsn else "?"
        script = f"""if True:
            import metalab
            from metalab.store import PostgresStore

            @metalab.operation
            def double(params, capture):
                capture.metric("y", 2 * params["x"])

            experiment = metalab.Experiment(
                name="readme", version="1", context={{}}, operation=double,
                params=metalab.grid(x=[1, 2, 3]), seeds=metalab.seeds(1),
            )
            handle = metalab.run(experiment, store={pg_dsn + joint + f"file_root={tmp_path}"!r})
            print(len(handle.result()))
        """
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == "3"
        # The process has indexed its runs before it ended.
        assert statement(pg_dsn, "SELECT count(*) FROM metalab.runs") == [(3,)]
        store = PostgresStore(pg_dsn, file_root=tmp_path)
        assert store.list_experiments() == ["readme:1"]
        assert len(metalab.load_results(store.config.locator)) == 3
        assert store.verify() == []

    def test_runs_are_indexed_while_a_launch_goes_on(self, pg_dsn, tmp_path):
        store = PostgresStore(pg_dsn, tmp_path)
        handle = metalab.run(experiment(), store=store)
        until(lambda: statement(pg_dsn, "SELECT to_regclass('metalab.runs')")[0][0] is not None)
        until(lambda: statement(pg_dsn, "SELECT count(*) FROM metalab.runs") == [(3,)])
        handle.store.close()
        assert store.verify() == []

    def test_a_worker_loads_no_driver(self, tmp_path):
        script = f"""if True:
            import sys
            from metalab.store import StoreConfig
            told = {PostgresStoreConfig("host=nowhere dbname=d", tmp_path).to_dict()!r}
            store = StoreConfig.from_dict(told).connect().scoped("e:1")
            with store.writer("launch") as writer:
                pass
            sys.exit("psycopg" in sys.modules)
        """
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def _refused(dsn):
    return "postgresql://me@localhost:1/nothing"


def _wrong_password(dsn):
    return f"{dsn}&password=s3cret"


def _no_such_database(dsn):
    return "nosuchdatabase".join(dsn.split(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]))


def _read_only(dsn):
    return f"{dsn}&options=-c%20default_transaction_read_only%3Don"


class TestTrouble:
    @pytest.mark.parametrize("spoil", [_refused, _wrong_password, _no_such_database, _read_only])
    def test_a_launch_and_a_query_go_on_with_one_notice(self, pg_dsn, tmp_path, caplog, spoil):
        if spoil is _wrong_password and "passfile" not in pg_dsn:
            pytest.skip("this server asks for no password")
        store = PostgresStore(spoil(pg_dsn), tmp_path)
        with caplog.at_level(logging.WARNING):
            handle = metalab.run(experiment(), store=store)
            assert len(handle.result()) == 3
            for _ in range(3):
                assert len(handle.store.query(Query("y > 1"))) == 2
            handle.store.close()
        said = pg_tools.warnings(caplog)
        assert len(said) <= 1
        assert "s3cret" not in caplog.text
        with pytest.raises(IndexUnavailable) as caught:
            store.index.update()
        assert "s3cret" not in str(caught.value)
        index = PostgresStore(pg_dsn, tmp_path).index
        assert index.update() >= 3
        assert index.verify() == []
        for path in tmp_path.rglob("*"):
            assert path.is_dir() or b"s3cret" not in path.read_bytes()

    def test_a_role_that_may_only_read_is_told_how_far_behind_it_is(self, pg_dsn, tmp_path):
        store = store_at(tmp_path)
        path = runs_of(store) / "w.jsonl"
        path.write_bytes(line(0, 0))
        index_of(pg_dsn, store).update()
        reader = index_of(_read_only(pg_dsn), store)
        assert reader.freshen().lag_bytes == 0
        more = line(1, 1)
        path.write_bytes(line(0, 0) + more)
        with pytest.raises(IndexReadOnly):
            reader.update()
        assert reader.freshen().lag_bytes == len(more)
        assert reader.status().experiments[0].runs == 1

    def test_a_connection_lost_before_a_part_is_rolled_back_is_made_anew(
        self, pg_dsn, tmp_path, monkeypatch
    ):
        store, lost = store_at(tmp_path), []
        index = index_of(pg_dsn, store)

        def fold_new(cursor, *_):
            lost.append(cursor.connection.info.backend_pid)
            statement(pg_dsn, f"SELECT pg_terminate_backend({lost[-1]}, 10000)")
            monkeypatch.undo()
            return False

        monkeypatch.setattr(ingestion, "fold_new", fold_new)
        (runs_of(store) / "w.jsonl").write_bytes(line(1))
        index.update()
        assert len(lost) == 1
        assert index.verify() == []
        assert index.status().experiments[0].lines == 1

    def test_a_server_that_is_stopped_and_killed_costs_nothing(
        self, durable_server, tmp_path, monkeypatch
    ):
        # Where the machine holds up a refusal, it is none of a server that does not answer.
        monkeypatch.setattr(connection, "_LONGEST_PAUSE", 0.0)
        store = store_at(tmp_path)
        path = runs_of(store) / "w.jsonl"
        index = index_of(durable_server.dsn, store)
        stop = threading.Event()
        following = threading.Thread(target=index.follow, args=(stop,), kwargs={"interval": 0.001})
        following.start()
        written = 0
        for trouble in (durable_server.kill, durable_server.stop, durable_server.kill):
            for _ in range(200):
                with path.open("ab") as file:
                    file.write(line(written % 50, written, attempt=1 + written // 50))
                written += 1
                if written % 200 == 50:
                    trouble()
            durable_server.start()
        stop.set()
        following.join()
        index.update()
        assert index.verify() == []
        assert index.status().experiments[0].lines == written


class TestSchemas:
    def test_another_store_is_refused_in_words(self, pg_dsn, tmp_path):
        first, second = store_at(tmp_path / "a"), store_at(tmp_path / "b")
        index_of(pg_dsn, first).update()
        with pytest.raises(IndexRefused, match=r"another store.*schema="):
            index_of(pg_dsn, second).update()
        with pytest.raises(IndexRefused, match="another store"):
            index_of(pg_dsn, second).rebuild()
        index_of(pg_dsn, second, "second").update()

    def test_tables_of_others_are_left_alone(self, pg_dsn, tmp_path):
        statement(pg_dsn, "CREATE SCHEMA theirs")
        statement(pg_dsn, "CREATE TABLE theirs.precious (x int)")
        index = index_of(pg_dsn, store_at(tmp_path), "theirs")
        for call in (index.update, index.rebuild):
            with pytest.raises(IndexRefused, match="not metalab's"):
                call()
        assert statement(pg_dsn, "SELECT count(*) FROM theirs.precious") == [(0,)]

    def test_a_newer_schema_is_refused_and_an_older_one_migrated(
        self, pg_dsn, tmp_path, monkeypatch
    ):
        store = store_at(tmp_path)
        (runs_of(store) / "w.jsonl").write_bytes(line())
        index_of(pg_dsn, store).update()
        newer = {**migrations.MIGRATIONS, 2: "ALTER TABLE runs ADD COLUMN more int"}
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "MIGRATIONS", newer)
            assert index_of(pg_dsn, store).verify() == []
            assert statement(pg_dsn, "SELECT more FROM metalab.runs") == [(None,)]
        with pytest.raises(IndexRefused, match=r"version 2.*upgrade"):
            index_of(pg_dsn, store).update()

    @pytest.mark.parametrize("name", ['a"b', "x;drop schema y;--", "Ünï", "select", "a.b", "%s"])
    def test_a_name_is_a_name_and_nothing_else(self, pg_dsn, tmp_path, name):
        store = store_at(tmp_path)
        (runs_of(store) / "w.jsonl").write_bytes(line())
        index = index_of(pg_dsn, store, name)
        index.update()
        index.index_field("metrics", "sco'\"%re")
        index.rebuild()
        assert index.verify() == []
        found = statement(pg_dsn, "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'")
        assert sorted(each for (each,) in found) == sorted(["information_schema", "public", name])

    def test_whoever_could_read_the_index_can_read_the_rebuilt_one(self, pg_dsn, tmp_path):
        store = store_at(tmp_path)
        index = index_of(pg_dsn, store)
        index.update()
        role = f"reader_{os.getpid()}"
        statement(pg_dsn, f"CREATE ROLE {role}")
        try:
            statement(pg_dsn, f"GRANT USAGE ON SCHEMA metalab TO {role}")
            statement(pg_dsn, f"GRANT SELECT ON ALL TABLES IN SCHEMA metalab TO {role}")
            index.rebuild()
            asked = f"SELECT has_table_privilege('{role}', 'metalab.records', 'SELECT')"
            assert statement(pg_dsn, asked) == [(True,)]
        finally:
            statement(pg_dsn, f"DROP OWNED BY {role}")
            statement(pg_dsn, f"DROP ROLE {role}")

    def test_a_rebuild_that_fails_leaves_the_old_index(self, pg_dsn, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        (runs_of(store) / "w.jsonl").write_bytes(line())
        index = index_of(pg_dsn, store)
        index.update()
        before = pg_tools.contents(index)
        number, is_reached = 0, True
        while is_reached:
            with pg_tools.broken_after(monkeypatch, number) as left:
                if is_reached := number < 200:
                    try:
                        index.rebuild()
                    except IndexUnavailable:
                        pass
                    else:
                        is_reached = left[0] < 0
            assert pg_tools.contents(index) == before
            number += 7
        assert index.verify() == []
        index.rebuild()
        left_behind = statement(pg_dsn, "SELECT count(*) FROM pg_namespace WHERE nspname ~ '~'")
        assert left_behind == [(0,)]

    def test_a_rebuild_waits_for_whoever_reads_and_keeps_them_from_nothing(
        self, pg_dsn, tmp_path, monkeypatch
    ):
        store = store_at(tmp_path)
        (runs_of(store) / "w.jsonl").write_bytes(line())
        index = index_of(pg_dsn, store)
        index.update()
        found = statement(
            pg_dsn,
            "SELECT relname FROM pg_class WHERE relnamespace = "
            "'metalab'::regnamespace AND relkind IN ('r', 'v')",
        )
        read = []

        def reads_on(_):
            for (name,) in found:
                reader.execute(f"SELECT count(*) FROM metalab.{name}")
                read.append(name)
            reader.commit()

        # Who never reads on is sent away, and what waits for them goes on.
        options = f"{pg_dsn}&options=-c%20idle_in_transaction_session_timeout%3D60s"
        with psycopg.connect(options) as reader:
            reader.execute("SELECT count(*) FROM metalab.experiments")
            clock = SimpleNamespace(monotonic=time.monotonic, sleep=reads_on)
            monkeypatch.setattr(rebuilding, "time", clock)
            index.rebuild()
        assert len(read) == len(found) > 8
        assert index.verify() == []


class TestMoving:
    def test_a_file_store_is_indexed_where_it_lies_and_taken_out_again(self, pg_dsn, tmp_path):
        handle = metalab.run(experiment(), store=tmp_path / "files", executor="inline")
        handle.result()
        store = PostgresStore.from_filestore(FileStore(tmp_path / "files"), pg_dsn)
        assert store.index.status().experiments[0].runs == 3
        assert store.verify() == []
        assert store.to_filestore().list_experiments() == ["trouble:1"]
        copied = store.scoped("trouble:1").to_filestore(tmp_path / "copy")
        assert len(copied.scoped("trouble:1").list_run_records()) == 3

    def test_deleted_runs_are_gone_from_the_index(self, pg_dsn, tmp_path):
        store = PostgresStore(pg_dsn, tmp_path).scoped("e:1")
        store.make()
        with store.writer("launch") as writer:
            for number in range(3):
                writer.put(pg_tools.made(number))
        store.delete_run(run_id(1))
        store.index.update()
        assert store.index.status().experiments[0].runs == 2
        assert store.verify() == []
        store.close()
