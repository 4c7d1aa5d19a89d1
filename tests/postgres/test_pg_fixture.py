"""What the fixtures promise to the tests that use them, also where a worker dies of its test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psycopg
import pytest

from postgres.pg_server import SharedServer, is_alive

TESTS = Path(__file__).resolve().parent.parent

SUITE = """
    import json, os, psycopg, pytest
    from pathlib import Path
    from metalab_postgres import postmaster
    from postgres.pg_scratch import scratch

    @pytest.mark.parametrize("number", range(6))
    def test_one(pg_dsn, number):
        with psycopg.connect(pg_dsn) as connection:
            connection.execute("create table mine ()")
        servers = [(str(path), postmaster.running(path).pid) for path in scratch().glob("*/data")]
        Path(__file__).with_name(f"told-{number}.json").write_text(json.dumps(servers))
        if number == 1:
            os._exit(3)
"""


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_a_database_of_its_own(pg_dsn, turn):
    with psycopg.connect(pg_dsn) as connection:
        connection.execute("create table mine ()")


def test_a_database_is_gone_even_if_someone_is_still_connected(pg_server):
    name = pg_server.create_database()
    with psycopg.connect(pg_server.dsn_of(name)):
        pg_server.drop_database(name)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(pg_server.dsn_of(name))


def test_whoever_needs_the_server_next_finds_it(pg_server, pg_major):
    assert SharedServer(pg_major).dsn == pg_server.dsn


def test_a_server_of_ones_own_may_be_killed_stopped_and_paused(durable_server):
    with psycopg.connect(durable_server.dsn) as connection:
        assert connection.execute("show fsync").fetchone() == ("on",)
        connection.execute("create table kept as select 1 as x")
    durable_server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(durable_server.dsn)
    dsn = durable_server.start()
    assert dsn == durable_server.dsn
    with psycopg.connect(dsn) as connection:
        durable_server.pause()
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            psycopg.connect(dsn, connect_timeout=2)  # the least that there is
        durable_server.resume()
        assert connection.execute("select x from kept").fetchone() == (1,)
        durable_server.stop()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select x from kept")


@pytest.mark.one_postgres
def test_a_worker_that_dies_takes_nothing_with_it_and_leaves_nothing(pg_major, tmp_path):
    (tmp_path / "test_tiny.py").write_text(textwrap.dedent(SUITE))
    done = _python(
        "-m", "pytest", "-n2", "-c", os.devnull, f"--rootdir={tmp_path}", "-pno:cacheprovider",
        "-pconftest", "-ppostgres.conftest", "--import-mode=importlib", tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 5 passed" in done.stdout, done.stdout
    assert "crashed while running 'test_tiny.py::test_one" in done.stdout
    told = [json.loads(file.read_text()) for file in tmp_path.glob("told-*.json")]
    assert len(told) == 6
    ((data, pid),) = told[0]
    assert told == [[[data, pid]]] * 6
    assert not Path(data).parent.parent.exists()
    assert not is_alive(pid)


@pytest.mark.one_postgres
def test_what_a_killed_session_left_is_removed_by_the_next(pg_major):
    start = """if True:
        import os
        from postgres import pg_scratch
        from postgres.pg_server import SharedServer
        pg_scratch.begin()
        server = SharedServer(%d)
        place = pg_scratch.scratch()
        print(place, *(path.name for path in place.glob("*/data")), flush=True)
        os.kill(os.getpid(), 9)
    """
    # Once it is dead, any session that begins removes what it has left.
    left, data = _python("-c", start % pg_major).stdout.split()
    assert data == "data"
    left = Path(left)
    assert _python("-c", "from postgres import pg_scratch as s; s.begin(); s.end()").returncode == 0
    deadline = time.monotonic() + 30
    while left.exists():  # another session may be at it
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _python(*words):
    environment = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("PYTEST_", "METALAB_"))
    }
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PYTHONPATH": str(TESTS)},
    )
