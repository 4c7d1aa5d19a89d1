"""Whoever executes runs writes files: one process of a launch connects, and it is the launcher."""

from __future__ import annotations

import socket
import time

import psycopg
import pytest

import metalab
from detached_executor import LoneExecutor, end_processes
from metalab.store import PostgresStoreConfig
from metalab_postgres.connection import Link, link_to
from metalab_postgres.dsn import Dsn

RUNS = 20
_PATIENCE = 60.0


@metalab.operation
def slow_double(params, capture):
    time.sleep(0.02)
    capture.metric("y", 2 * params["x"])


@pytest.fixture
def sessions(pg_server, pg_dsn):
    """Return how many sessions the test's database has had, asked from another one."""
    name = psycopg.conninfo.conninfo_to_dict(pg_dsn)["dbname"]

    def ask():
        with psycopg.connect(pg_server.dsn) as connection:
            asked = "SELECT sessions FROM pg_stat_database WHERE datname = %s"
            return connection.execute(asked, [name]).fetchone()[0]

    return ask


@pytest.fixture
def lone():
    yield LoneExecutor(workers=2)
    end_processes()


def waits_for(count, sessions):
    """Wait until so many are counted; the server does that when a session has ended."""
    deadline = time.monotonic() + _PATIENCE
    while sessions() < count:
        assert time.monotonic() < deadline, f"{sessions()} sessions, and not {count}"
        time.sleep(0.05)


def execute(executor, config):
    experiment = metalab.Experiment(
        name="connecting",
        version="1",
        context={},
        operation=slow_double,
        params=metalab.grid(x=list(range(RUNS))),
        seeds=metalab.seeds(1),
    )
    handle = metalab.run(experiment, store=config, executor=executor, progress=False)
    assert len(handle.result().successful) == RUNS
    end_processes()  # those of the pilot, which may take a moment to leave
    handle.store.close()
    link_to(config.dsn).close()


@pytest.mark.parametrize("kind", ["thread", "process", "pilot"])
def test_one_process_of_a_launch_connects(pg_dsn, sessions, lone, tmp_path, kind):
    config = PostgresStoreConfig(pg_dsn, tmp_path)
    execute(lone if kind == "pilot" else kind, config)
    waits_for(1, sessions)
    # Had another one connected, it would have been counted by the time that this one is.
    with psycopg.connect(pg_dsn) as connection:
        counted = connection.execute("SELECT count(*) FROM metalab.records").fetchone()
    assert counted == (RUNS,)
    waits_for(2, sessions)
    assert sessions() == 2


@pytest.mark.parametrize(
    ("own", "everybodys", "seconds"), [("", "7", 7.0), ("connect_timeout=2 ", "60", 2.0)]
)
def test_a_server_that_never_answers_is_given_up_when_libpq_is_told_to(
    monkeypatch, own, everybodys, seconds
):
    monkeypatch.setenv("PGCONNECT_TIMEOUT", everybodys)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        dsn = Dsn.of(f"{own}host=127.0.0.1 port={mute.getsockname()[1]} dbname=x user=x")
        began = time.monotonic()
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            Link(dsn).another()
        assert seconds - 0.1 < time.monotonic() - began < seconds + 30.0
