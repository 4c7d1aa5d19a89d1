"""Servers and databases of PostgreSQL for tests, started when the first test needs one."""

from __future__ import annotations

import os
from functools import partial
from itertools import count

import pytest

from metalab.errors import MetalabError
from metalab_postgres import PostgresStore
from metalab_postgres.programs import choose_programs
from postgres.pg_server import DurableServer, SharedServer, programs_by_major


def pytest_generate_tests(metafunc):
    """The newest version's server is enough, unless all are asked for (METALAB_ALL_MAJORS=1)."""
    if "pg_major" in metafunc.fixturenames:
        majors = list(programs_by_major())
        one = metafunc.definition.get_closest_marker("one_postgres")
        if one or os.environ.get("METALAB_ALL_MAJORS") != "1":
            majors = majors[:1]
        metafunc.parametrize("pg_major", majors or [None], indirect=True, scope="session")


@pytest.fixture(scope="session")
def pg_major(request):
    """The major version of PostgreSQL that a test is about."""
    if request.param is None:
        try:
            choose_programs()
        except MetalabError as error:
            pytest.skip(str(error))
    return request.param


@pytest.fixture(scope="session")
def pg_server(pg_major):
    """The session's server of that version; tests must leave it running."""
    return SharedServer(pg_major)


@pytest.fixture
def pg_dsn(pg_server):
    """The connection string of a database of a test's own, which has the index's schema."""
    name = pg_server.create_database()
    yield pg_server.dsn_of(name)
    pg_server.drop_database(name)


@pytest.fixture
def pg_store(pg_dsn, tmp_path):
    """A store with files and an index of a test's own."""
    with PostgresStore(pg_dsn, file_root=tmp_path / "files") as store:
        yield store


@pytest.fixture(scope="module")
def pg_stores(pg_server, tmp_path_factory):
    """Make empty stores of new experiments: in one collection, with one index, for a module."""
    name = pg_server.create_database()
    root = tmp_path_factory.mktemp("store")
    with PostgresStore(pg_server.dsn_of(name), root) as collection:
        collection.make()
        experiments = (collection.scoped(f"e:{number}") for number in count())
        yield partial(next, experiments)
    pg_server.drop_database(name)


@pytest.fixture
def durable_server(pg_major):
    """A server of a test's own, to be stopped, killed or paused."""
    server = DurableServer(pg_major)
    yield server
    server.remove()
