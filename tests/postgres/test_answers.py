"""Answers from the index are those from files, to the last digit and type."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, event, given, settings, strategies as st

from core.store_tools import EXPERIMENT
from metalab.errors import QueryError
from metalab.records import Status
from metalab.results import Results
from metalab.results.columns import RECORD_COLUMNS
from metalab.store import FileStore
from metalab_postgres import PostgresStore
from metalab_postgres.answers import answer
from metalab_postgres.lookups import ids_done, ids_with_prefix, state_of, status_counts
from postgres.index_tools import fill, histories, numbers, plain_histories, queries

pd = pytest.importorskip("pandas")

from metalab_postgres.frames import frame  # noqa: E402  it needs pandas

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


FRAME_NAMES = (*RECORD_COLUMNS, "param_x", "x", "param_y", "y", "param_a.b", 'a"b', "metric_x")


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=plain_histories, names=st.lists(st.sampled_from(FRAME_NAMES), min_size=1))
def test_a_frame_is_that_of_the_files(stores, history, names):
    store = stores()
    try:
        fill(store, history)
        store.index.update()
        with store.index.reading() as cursor:
            found = frame(cursor, EXPERIMENT, names)
        files = FileStore(store.root).scoped(EXPERIMENT)
        try:
            expected = Results.from_store(files).to_dataframe(columns=names)
        except KeyError:
            assert found is None
            return
        if found is None:
            event("left to files")
            assert any(column.isna().all() for _, column in expected.items()) or odd(files)
        else:
            event("from the index")
            pd.testing.assert_frame_equal(found, expected, check_exact=True)
            for name in names:
                assert list(map(repr, found[name])) == list(map(repr, expected[name])), name
    finally:
        store.close()
        shutil.rmtree(store.root)


def odd(store):
    """Tell whether a line has what the database cannot hold."""
    lines = list(store.read().lines())
    return any(rb"\u0000" in line or b'":{"$' in line for line in lines)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories())
def test_counts_ids_and_states_are_those_of_the_files(stores, history):
    store = stores()
    try:
        fill(store, history)
        store.index.update()
        log = FileStore(store.root).scoped(EXPERIMENT).read()
        states = {run_id: log.state(run_id) for run_id in log}
        with store.index.reading() as cursor:
            counts = Counter(state.status for state in states.values())
            assert status_counts(cursor, EXPERIMENT) == counts
            done = {each for each, state in states.items() if state.status is Status.SUCCESS}
            assert ids_done(cursor, EXPERIMENT) == done
            assert ids_with_prefix(cursor, EXPERIMENT, "0" * 31, limit=100) == sorted(states)
            assert ids_with_prefix(cursor, EXPERIMENT, "%") == []
            for number in range(8):
                run_id = f"{number:032x}"
                assert state_of(cursor, EXPERIMENT, run_id) == states.get(run_id)
    finally:
        store.close()
        shutil.rmtree(store.root)
