"""Answers from the index are those from files, to the last digit and type."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from contextlib import contextmanager
from fractions import Fraction
from functools import partial

import pytest
from hypothesis import HealthCheck, event, given, settings, strategies as st

from core.store_tools import made
from metalab.errors import QueryError
from metalab.records import Status
from metalab.results import Results
from metalab.results.columns import RECORD_COLUMNS
from metalab.store import FileStore
from metalab.store.query.expression import Column
from metalab.store.query.query import Aggregate, Query
from metalab_postgres.answers import answer
from metalab_postgres.lookups import ids_done, ids_with_prefix, state_of, status_counts
from postgres.index_tools import fill, histories, plain_histories, queries

pd = pytest.importorskip("pandas")

from metalab_postgres.frames import frame  # noqa: E402  it needs pandas

TOLD = (".min", ".max")


@contextmanager
def filled(pg_stores, history):
    """Have a store with a history, and a cursor to read its index with; forget it afterwards."""
    with pg_stores() as store:
        fill(store, history)
        store.index.update(store.experiment_id)
        with store.index.reading() as cursor:
            yield store, FileStore(store.root).scoped(store.experiment_id), cursor
    if history:
        shutil.rmtree(store.get_working_directory())


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


def agree(pg_stores, history, asked_queries):
    with filled(pg_stores, history) as (store, files, cursor):
        for query in asked_queries:
            expected = asked(files.query, query)
            assert asked(partial(answer, cursor, store.experiment_id), query) == expected


anything = given(history=histories(), asked_queries=st.lists(queries(), min_size=1, max_size=8))
patient = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(patient, max_examples=200)
@anything
def test_any_query_of_any_store_has_one_answer(pg_stores, history, asked_queries):
    agree(pg_stores, history, asked_queries)


def test_a_metric_that_is_a_structure_is_no_number(pg_stores):
    history = [made(n, metrics={"x": x}) for n, x in enumerate([{"a": 1}, 2.5, {}, [3]])]
    agree(pg_stores, history, [Query(aggregate=Aggregate(by=[], of=[Column("x", "metrics")]))])


@pytest.mark.slow
@settings(patient, max_examples=2_000)
@given(history=histories(), asked_queries=st.lists(queries(), min_size=5, max_size=8))
def test_any_of_ten_thousand_queries_has_one_answer(pg_stores, history, asked_queries):
    agree(pg_stores, history, asked_queries)


FRAME_NAMES = (*RECORD_COLUMNS, "param_x", "x", "param_y", "y", "param_a.b", 'a"b', "metric_x")


@settings(patient, max_examples=100)
@given(history=plain_histories, names=st.lists(st.sampled_from(FRAME_NAMES), min_size=1))
def test_a_frame_is_that_of_the_files(pg_stores, history, names):
    with filled(pg_stores, history) as (store, files, cursor):
        found = frame(cursor, store.experiment_id, names)
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


def test_a_frame_has_the_derived_values_that_hold(pg_stores):
    values = [1.5, math.nan, None, 2**70, "text", True]
    with pg_stores() as store:
        fill(store, [made(number, index=number) for number in range(8)])
        for number, value in enumerate(values):
            store.put_derived(f"{number:032x}", "mod:f", {"a": value, "b": 1.0})
        store.put_derived(f"{0:032x}", "mod:g", {"b": 2.0})
        with store.writer("later") as writer:
            writer.put(made(1, index=1, attempt=2))
        store.index.update(store.experiment_id)
        with store.index.reading() as cursor:
            found = frame(cursor, store.experiment_id, ["run_id", "derived_a", "derived_b"])
        files = FileStore(store.root).scoped(store.experiment_id)
        results = Results.from_store(files)
        expected = results.to_dataframe(columns=["run_id"], include_derived=True)
        pd.testing.assert_frame_equal(found, expected[list(found)], check_exact=True)
        assert list(map(repr, found["derived_a"])) == list(map(repr, expected["derived_a"]))


def odd(store):
    """Tell whether a line has what the database cannot hold."""
    lines = list(store.read().lines())
    return any(rb"\u0000" in line or b'":{"$' in line for line in lines)


@settings(patient, max_examples=50)
@given(history=histories())
def test_counts_ids_and_states_are_those_of_the_files(pg_stores, history):
    with filled(pg_stores, history) as (store, files, cursor):
        log, scope = files.read(), (cursor, store.experiment_id)
        states = {run_id: log.state(run_id) for run_id in log}
        assert status_counts(*scope) == Counter(state.status for state in states.values())
        done = {each for each, state in states.items() if state.status is Status.SUCCESS}
        assert ids_done(*scope) == done
        assert ids_with_prefix(*scope, "0" * 31, limit=100) == sorted(states)
        assert ids_with_prefix(*scope, "%") == []
        for number in range(8):
            run_id = f"{number:032x}"
            assert state_of(*scope, run_id) == states.get(run_id)
