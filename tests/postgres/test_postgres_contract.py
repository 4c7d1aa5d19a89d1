"""A store whose files are indexed in PostgreSQL keeps the contract of stores."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count

import psycopg
import pytest
from psycopg import sql

from metalab.testing import StoreContract
from metalab_postgres import PostgresStoreConfig

_numbers = count()


@pytest.fixture(scope="module")
def database(pg_server):
    name = pg_server.create_database()
    yield name
    pg_server.drop_database(name)


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def config(self, pg_server, database, tmp_path):
        self._server, self._database = pg_server, database
        return PostgresStoreConfig(
            pg_server.dsn_of(database),
            tmp_path / "files",
            schema=f"contract_{next(_numbers)}",
            commit_interval=0.02,
        )

    def appended_files(self, store):
        return sorted((store.get_working_directory() / "runs").glob("*.jsonl"))

    @contextmanager
    def lost_connection(self):
        """Nobody can connect to the database, and whoever was connected no longer is."""
        self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", sql.Identifier(self._database))
        self._execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}",
            sql.Literal(self._database),
        )
        try:
            yield
        finally:
            name = sql.Identifier(self._database)
            self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)

    def _execute(self, statement, *names):
        with psycopg.connect(self._server.dsn_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*names))
