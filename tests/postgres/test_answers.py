"""Answers from the index are those from files, to the last digit and type."""

from __future__ import annotations

import math
import shutil
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, event, given, settings, strategies as st

from core.store_tools import EXPERIMENT, made
from metalab.errors import QueryError
from metalab.records import Status
from metalab.store import FileStore, Query
from metalab.store.query.order import sort_key
from metalab_postgres import PostgresStore
from metalab_postgres.answers import answer
from postgres.index_tools import fill, histories, numbers, queries

TOLD = (".min", ".max")


@pytest.fixture(scope="module")
def module_dsn(pg_server):
    """A database for all tests of this module, each of which has schemas of its own."""
    name = pg_server.create_database()
    yield pg_server.dsn_of(name)
    pg_server.drop_database(name)


@pytest.fixture
def stores(module_dsn, tmp_path):
    """Make stores, each with an empty index, and remove them afterwards."""
    opened = []

    def make():
        root = tmp_path / str(len(opened))
        store = PostgresStore(
            module_dsn, root, experiment_id=EXPERIMENT, schema=f"s{next(numbers)}"
        )
        store.make()
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


def asked(ask, query):
    """Return an answer as text that tells all types apart, or the error."""
    try:
        table = ask(query)
    except QueryError as error:
        return f"QueryError: {error}"
    rows = [
        [
            repr(_exact(value) if name.endswith(TOLD) else value)
            for name, value in zip(table.columns, row, strict=True)
        ]
        for row in table.values
    ]
    return table.columns, rows


def _exact(number):
    """Return the same for 1 and 1.0: of equal numbers either is the least."""
    return number if number is None or number in {math.inf, -math.inf} else Fraction(number)


def agree(store, asked_queries):
    files = FileStore(store.root).scoped(EXPERIMENT)
    store.index.update()
    with store.index.reading() as cursor:
        for query in asked_queries:
            assert asked(lambda each: answer(cursor, EXPERIMENT, each), query) == asked(
                files.query, query
            )


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories(), asked_queries=st.lists(queries(), min_size=1, max_size=8))
def test_any_query_of_any_store_has_one_answer(stores, history, asked_queries):
    store = stores()
    try:
        fill(store, history)
        agree(store, asked_queries)
    finally:
        store.close()
        shutil.rmtree(store.root)
