"""Answers from columns are those from lines, to the last digit and type."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given, settings, strategies as st

import metalab
from core.store_tools import made, store_at
from metalab.errors import AggregateWarning, QueryError
from metalab.records import Status
from metalab.results.cached import reading
from metalab.results.cached.answering import answer_from
from metalab.results.cached.reading import CachedColumns
from metalab.store.file import runlog
from metalab.store.query.answer import answer
from metalab.store.query.lines import ChosenLines
from metalab.store.query.query import Aggregate, Query
from postgres.index_tools import fill, histories, queries


def asked(ask, *given_):
    """Return an answer as text that tells all types apart, or the error."""
    try:
        table = ask(*given_)
    except QueryError as error:
        return f"QueryError: {error}"
    return table and (table.columns, list(map(repr, table.values)))


@pytest.fixture
def small(monkeypatch):
    """Segments of few runs have a cache as well."""
    monkeypatch.setattr(runlog, "CACHED", 1)


@given(
    parts=st.lists(histories(), min_size=1, max_size=3),
    queries=st.lists(queries(), min_size=1, max_size=8),
    rng=st.randoms(),
)
@settings(max_examples=200)
def test_any_query_of_any_store_has_one_answer(tmp_path_factory, parts, queries, rng):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runlog, "CACHED", 1)
        store = store_at(tmp_path_factory.mktemp("store"))
        for part in parts:
            fill(store, part)
        log = store.read()
        if (columns := CachedColumns.of(log, build=True)) is None:
            return
        for query in queries:
            found = asked(answer_from, columns, query)
            assert found is None or found == asked(answer, query, log)
        if columns.is_uniform:
            chosen = rng.sample(list(log), rng.randint(1, len(log)))
            for query in queries:
                found = asked(answer_from, columns, query, chosen)
                assert found is None or found == asked(answer, query, ChosenLines(log, chosen))


def test_what_no_table_keeps_is_not_answered(tmp_path, small):
    store = store_at(tmp_path / "store")
    fill(store, [made(n, notes="read me") for n in range(3)])
    columns = CachedColumns.of(store.read(), build=True)
    assert answer_from(columns, Query(filter="notes = 'read me'")) is None
    assert answer_from(columns, Query(filter="tags has 'a'")) is None
    assert len(answer_from(columns, Query(filter="status = success"))) == 3


def aggregated(store):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", AggregateWarning)
        groups = metalab.load_results(store).aggregate("score", by=["x"])
    return {name: list(map(repr, each)) for name, each in groups.columns.items()}, [
        str(each.message) for each in told
    ]


def runs(number):
    status = Status.FAILED if number % 7 == 3 else Status.SUCCESS
    metrics = {} if number % 11 == 5 else {"score": number / 7}
    return made(number, status, index=number, params_resolved={"x": number % 3}, metrics=metrics)


def test_an_aggregate_decodes_the_lines_once(tmp_path, monkeypatch):
    monkeypatch.setattr(runlog, "CACHED", 10**9)
    store = store_at(tmp_path / "store")
    fill(store, list(map(runs, range(40))))
    expected = aggregated(store)
    assert any("not balanced" in text for text in expected[1])
    monkeypatch.setattr(runlog, "CACHED", 1)
    assert aggregated(store) == expected
    monkeypatch.setattr(reading, "built", lambda *_: pytest.fail("it was decoded again"))
    monkeypatch.setattr("metalab.results.rows.answer", None)
    monkeypatch.setattr("metalab.store.query.answer.answer", None)
    assert aggregated(store) == expected


def test_runs_of_unlike_names_are_grouped_by_what_they_have(tmp_path, small):
    store = store_at(tmp_path / "store")
    fill(store, [made(n, index=n, params_resolved={"xy"[n % 2]: n // 4}) for n in range(16)])
    log = store.read()
    query = Query(aggregate=Aggregate(by="params.x, params.y"))
    columns = CachedColumns.of(log, build=True)
    assert answer_from(columns, query) == answer(query, log)
    assert len(answer(query, log)) == 8
