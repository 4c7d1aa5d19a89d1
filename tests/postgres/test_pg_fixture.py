from __future__ import annotations

import psycopg
import pytest


@pytest.mark.parametrize("turn", range(4))
def test_a_test_has_a_database_of_its_own(pg_dsn, turn):
    with psycopg.connect(pg_dsn) as connection:
        connection.execute("create table only_here ()")


def test_a(durable_server):
    with psycopg.connect(durable_server.dsn) as connection:
        connection.execute("create table kept as select 1 as x")
    durable_server.kill()
    durable_server.start()
    durable_server.pause()
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        psycopg.connect(durable_server.dsn, connect_timeout=2)
    durable_server.resume()
    with psycopg.connect(durable_server.dsn) as connection:
        assert connection.execute("select x from kept").fetchone() == (1,)
