"""Where SQL and jsonb mean other things than a query does: each trap with its right answer."""

from __future__ import annotations

import math

import pytest

from core.store_tools import made
from metalab.errors import QueryError
from metalab.records import Status
from metalab.store import Aggregate, Query
from metalab.store.query.expression import Column
from metalab.store.query.query import Sort
from metalab_postgres.answers import answer
from metalab_postgres.fetching import Reader

NAN, INF = math.nan, math.inf
BIG = 2**53


@pytest.fixture
def store(pg_stores):
    """A store that is empty, with its index."""
    with pg_stores() as store:
        yield store


def put(store, values, section="metrics", name="x"):
    """Put a run for each value, in the order of the plan; ``...`` is none."""
    with store.writer("launch") as writer:
        for index, value in enumerate(values):
            given = {} if value is ... else {name: value}
            fields = {"params_resolved": {}, "metrics": {}, section: given}
            writer.put(made(index, index=index, **fields))
    store.index.update(store.experiment_id)


def asked(store, *args, **fields):
    with store.index.reading() as cursor:
        return answer(cursor, store.experiment_id, Query(*args, **fields))


def indexes(store, *args, **fields):
    return asked(store, *args, columns="index", **fields).to_dict()["index"]


@pytest.mark.parametrize("section", ["params_resolved", "metrics"])
@pytest.mark.parametrize(
    ("values", "filter_", "expected"),
    [
        # NaN is greater than all in SQL; a text would make a cast fail.
        ([0.95, NAN, "oops", None, ..., True, [1]], "x > 0.9", [0]),
        ([0.95, NAN, "oops", None, ..., True, [1]], "not x > 0.9", [1, 2, 3, 4, 5, 6]),
        ([0.95, NAN, INF, -INF], "x = nan", [1]),
        ([0.95, NAN, INF, -INF], "x != nan", [0, 2, 3]),
        ([0.95, NAN, INF, -INF], "x < inf", [0, 3]),
        ([0.95, NAN, INF, -INF], "x >= inf", [2]),
        ([1, True, "1", 1.0, "true"], "x = 1", [0, 3]),
        ([1, True, "1", 1.0, "true"], "x = true", [1]),
        ([1, True, "1", 1.0, "true"], "x >= false", [1]),
        ([0.0, -0.0, 0, False], "x = 0", [0, 1, 2]),
        ([-0.0, 1], "x >= 0", [0, 1]),
        # As float8 all of these are one number.
        ([BIG, BIG + 1, float(BIG), float(BIG + 2)], f"x = {BIG + 1}", [1]),
        ([BIG, BIG + 1, float(BIG), float(BIG + 2)], f"x > {BIG}", [1, 3]),
        # The shortest decimal of this float is another integer than its value.
        ([1.2345678901234568e17, 123456789012345680, 123456789012345677], "x = 123456789012345680",
         [0, 1]),
        ([2**63 - 1, 2**63, 2.0**63, 2**70, 2.0**70], "x = 9223372036854775808", [1, 2]),
        ([2**63 - 1, 2**63, 2.0**63, 2**70, 2.0**70], "x < 9223372036854775808", [0]),
        ([1e23, 10**23, 99999999999999991611392], "x = 1e23", [0, 2]),
        ([10**400, 10**700, 1.7e308, INF], "x > 1.7e308", [0, 1, 3]),
        ([1, 10**400, INF], "x < 1" + "0" * 390, [0]),
        ([9.223372036854775e18, 9223372036854774784, 9223372036854775000],
         "x = 9223372036854774784", [0, 1]),
        # What a tag stands for that SQL does not know is something else all the same.
        ([1, b"1", {"a": 1}, frozenset({1}), 10**700, "\ud800"], "x != 1", [1, 2, 3, 4, 5]),
        ([1, b"1", {"a": 1}, frozenset({1}), 10**700, "\ud800"], "not x > 0", [1, 2, 3, 5]),
        ([1, b"1", {"a": 1}, frozenset({1}), 10**700, "a"], "not x ~= a", [0, 1, 2, 3, 4]),
        ([1, b"1", {"a": 1}, frozenset({1}), [1], [{"a": 1}]], "not x has 1", [0, 1, 2, 3, 5]),
        # Empty texts, those that look like something else, and patterns.
        (["", None, ...], "x = ''", [0]),
        (["", None, ...], "x is missing", [1, 2]),
        (["a%b", "a_b", "axb", "a\\b"], "x ~= '%'", [0]),
        (["a%b", "a_b", "axb", "a\\b"], r"x ~= '\\'", [3]),
        (["it's", 'say "so"', "é", "e\u0301"], r"x = 'it\'s'", [0]),
        (["it's", 'say "so"', "é", "e\u0301"], "x = 'é'", [2]),
        # By code point, whatever the database sorts by.
        (["B", "a", "é", "\uffff", "\U0001f600"], "x > 'a'", [2, 3, 4]),
        (["B", "a", "é", "\uffff", "\U0001f600"], "x > '\uffff'", [4]),
        # What the database cannot hold.
        (["x\0y", "x", "\ud800"], "x ~= 'x'", [0, 1]),
        (["x\0y", "x", "\ud800"], "x > 'x'", [0, 2]),
        (["x\0y", "x", "\ud800"], "x < 'x\0z'", [0, 1]),
        # A list that contains is none that equals, and no text.
        ([[1, "a"], (1.0,), ["b"], "a", [[1]], [True]], "x has 1", [0, 1]),
        ([[1, "a"], (1.0,), ["b"], "a", [[1]], [True]], "x has a", [0]),
        ([[NAN], [None], [2**70], [-0.0]], "x has nan", [0]),
        ([[NAN], [None], [2**70], [-0.0]], "x has null", [1]),
        ([[NAN], [None], [2**70], [-0.0]], "x has 1180591620717411303424", [2]),
        ([[NAN], [None], [2**70], [-0.0]], "x has 0", [3]),
    ],
)  # fmt: skip
def test_a_filter_means_what_it_says(store, section, values, filter_, expected):
    put(store, values, section)
    assert indexes(store, filter_) == expected
    assert indexes(store, filter_, limit=100) == expected


@pytest.mark.parametrize("limit", [1, 3, 100, None])
@pytest.mark.parametrize(
    ("values", "sort", "expected"),
    [
        ([NAN, 1.0, ..., INF, -INF, "a", True, [1], 2], "x", [6, 4, 1, 8, 3, 5, 7, 0, 2]),
        ([NAN, 1.0, ..., INF, -INF, "a", True, [1], 2], "-x", [7, 5, 3, 8, 1, 4, 6, 0, 2]),
        ([BIG + 1, BIG, float(BIG), BIG - 1], "x", [3, 1, 2, 0]),
        ([BIG + 1, BIG, float(BIG), BIG - 1], "-x", [0, 1, 2, 3]),
        ([2**70, 2.0**70, 2**63 - 1, 1e16, 10**400, INF], "-x", [5, 4, 0, 1, 2, 3]),
        ([123456789012345677, 1.2345678901234568e17, 123456789012345683], "x", [0, 1, 2]),
        ([9223372036854774900, 9.223372036854775e18, 9223372036854774784], "x", [1, 2, 0]),
        ([-0.0, 0, 0.0, -1], "x", [3, 0, 1, 2]),
        (["b", "B", "é", "\U0001f600", "\uffff", ""], "x", [5, 1, 0, 2, 4, 3]),
        (["x\0", "x", "\ud800", "w"], "x", [3, 1, 0, 2]),
        ([[2], [10], [1e-5], (1,), {"b": 1}, ["é"]], "x", [5, 1, 2, 0, 3, 4]),
        ([None, ..., NAN], "-x", [2, 0, 1]),
    ],
)
def test_an_order_is_that_of_the_values(store, values, sort, expected, limit):
    put(store, values)
    assert indexes(store, sort=sort, limit=limit) == expected[:limit]
    assert indexes(store, sort=["notes", sort], limit=limit) == expected[:limit]
    assert indexes(store, sort=sort, limit=limit, offset=2) == expected[2:][:limit]


@pytest.mark.parametrize("name", ["it's", 'a"b', "%s", "%(x)s", "a.b", "n" * 5000, "é", "\\", "{}"])
def test_any_name_may_be_asked_for(store, name):
    put(store, [2, 1, 3], name=name)

    column = Column(name, "metrics")
    found = asked(store, sort=[Sort(column)], columns=[column], limit=2)
    assert found.values == ((1,), (2,))


def test_a_name_that_only_an_earlier_attempt_had_means_nothing(store):
    with store.writer("launch") as writer:
        writer.put(made(0, Status.FAILED, metrics={"old": 1}))
        writer.put(made(0, Status.SUCCESS, attempt=2, metrics={"new": 1}))
    store.index.update(store.experiment_id)
    with pytest.raises(QueryError, match=r"no run has a param or metric 'old'; there is new, x"):
        asked(store, "old = 1")
    assert len(asked(store, "new = 1")) == 1


def test_sums_do_not_depend_on_their_order(store):
    put(store, [1e16 - 2, 1.0, -(1e16 - 2), 0.1, 0.2, -0.3, NAN, "text", None])
    table = asked(store, aggregate=Aggregate((), "x"), columns="runs, x.n, x.mean, x.min")
    assert table.values == ((9, 6, math.fsum([1.0, 0.1, 0.2, -0.3]) / 6, -(1e16 - 2)),)


def test_groups_are_of_equal_values(store):
    put(store, [1, 1.0, True, NAN, NAN, None, ..., "1", -0.0, 0, 2**70, 2.0**70, [1], [1.0], (1,)])
    table = asked(store, aggregate=Aggregate("x"), columns="x, runs")
    expected = [
        (1, 2), (True, 1), (NAN, 2), (None, 2), ("1", 1), (-0.0, 2), (2**70, 2), ([1], 1),
        ([1.0], 1), ((1,), 1),
    ]  # fmt: skip
    assert list(map(repr, table.values)) == list(map(repr, expected))


@pytest.fixture(scope="module", params=[NAN, INF, -0.0, 1e20])
def many(request, pg_stores):
    """Many runs, a third of which have a value that is no plain number."""
    with pg_stores() as store:
        with store.writer("launch") as writer:
            for index in range(2000):
                value = float(index) if index % 3 else request.param
                fields = {"params_resolved": {"y": 1}, "metrics": {"x": value}}
                writer.put(made(index, index=index, **fields))
        store.index.update(store.experiment_id)
        yield store


@pytest.mark.parametrize("sort", ["x", "-x", "", "x, y", "-status, -x"])
@pytest.mark.parametrize("filter_", [None, "x < 900", "x != 7 and x < inf"])
def test_with_a_limit_few_rows_are_fetched(many, monkeypatch, sort, filter_):
    fetched = []
    rows = Reader.rows

    def counting(*args):
        found = list(rows(*args))
        fetched.extend(found)
        return iter(found)

    monkeypatch.setattr(Reader, "rows", counting)
    assert len(asked(many, filter_, sort, 10)) == 10
    assert len(fetched) < 500
