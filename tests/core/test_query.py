"""Queries: what is read from their text, and that they answer as a naive model does."""

from __future__ import annotations

import math
import random
from contextlib import suppress
from fractions import Fraction
from functools import cmp_to_key
from itertools import pairwise
from statistics import mean, stdev

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from core.store_tools import made, run_id, store_at
from metalab.errors import QueryError
from metalab.records import Status
from metalab.store import Aggregate, Query
from metalab.store.document import record_line
from metalab.store.lines import Stamp
from metalab.store.query.answer import answer
from metalab.store.query.expression import (
    And,
    Column,
    Comparison,
    Has,
    Member,
    Missing,
    Not,
    Or,
    written,
)
from metalab.store.query.grammar import parse_filter
from metalab.store.query.interval import Sample, student_quantile
from metalab.store.query.order import equal, sort_key
from metalab.store.query.pruned import Pruned

X = Column("x")


class Log:
    """As much of a RunLog as answers need, of records in memory."""

    def __init__(self, records):
        self._lines = [record_line(each, Stamp("w", 1, 1, "l")).rstrip() for each in records]

    def __len__(self):
        return len(self._lines)

    def blocks(self):
        for place in range(0, len(self._lines), 2):
            yield b"\n".join(self._lines[place : place + 2])


def ask(records, *args, **fields):
    return answer(Query(*args, **fields), Log(records))


def runs_with(*values):
    """One run for each value of the param x, in the order of the plan; ``...`` is without."""
    return [
        made(n, index=n, params_resolved={} if value is ... else {"x": value})
        for n, value in enumerate(values)
    ]


def numbers_of(table):
    return [int(each, 16) for each in table.to_dict()["run_id"]]


class TestGrammar:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("x = 1", Comparison(X, "=", 1)),
            ("x==1", Comparison(X, "=", 1)),
            ("x<-1.5e3", Comparison(X, "<", -1500.0)),
            ("x >= -inf", Comparison(X, ">=", -math.inf)),
            ("x = nan", Comparison(X, "=", math.nan)),
            ("x != 340282366920938463463374607431768211457", Comparison(X, "!=", 2**128 + 1)),
            ("x = null", Comparison(X, "=", None)),
            ("x = true", Comparison(X, "=", True)),
            ("status = failed", Comparison(Column("status"), "=", "failed")),
            ("error~=OOM", Comparison(Column("error"), "~=", "OOM")),
            (r"x ~ 'it\'s'", Comparison(X, "~=", "it's")),
            ("params.x in (1, 'a')", Member(Column("x", "params"), (1, "a"))),
            ("x not in (1)", Not(Member(X, (1,)))),
            ("tags has base", Has(Column("tags"), "base")),
            ("x is missing", Missing(X)),
            ("x is not null", Not(Missing(X))),
            ('metrics."a b" < 1', Comparison(Column("a b", "metrics"), "<", 1)),
            ("error.type = E", Comparison(Column("error.type"), "=", "E")),
            ("val/loss-1 < 2", Comparison(Column("val/loss-1"), "<", 2)),
            (
                "x=1 or x=2 and not x=3",
                Or(
                    (
                        Comparison(X, "=", 1),
                        And((Comparison(X, "=", 2), Not(Comparison(X, "=", 3)))),
                    )
                ),
            ),
            (
                "(x=1 or x=2) and x=3",
                And(
                    (
                        Or((Comparison(X, "=", 1), Comparison(X, "=", 2))),
                        Comparison(X, "=", 3),
                    )
                ),
            ),
        ],
    )
    def test_a_text_is_parsed(self, text, expected):
        found = parse_filter(text)
        assert found == expected

    @pytest.mark.parametrize(
        ("text", "at", "found", "accepted"),
        [
            ("", 1, "the end", "a column, 'not' or '('"),
            ("x", 2, "the end", "one of = != < <= > >= ~= in, not in, has, is"),
            ("x <", 4, "the end", "a number, text, true, false or null"),
            ("x = 1 x", 7, "'x'", "'and', 'or' or the end"),
            ("(x = 1", 7, "the end", "')'"),
            ("x in (1", 8, "the end", "',' or ')'"),
            ("x is 1", 6, "'1'", "'missing'"),
            ("x ~= 1", 6, "'1'", "a text in quotes"),
            ("x < null", 5, "'null'", "a number, text or boolean"),
            ("x = 'a", 5, '"\'"', "a closing quote"),
            ("x = 1; y", 6, "';'", "a name, literal or sign"),
            ("and = 1", 1, "'and'", "a column, 'not' or '('"),
            ("__import__('os')", 11, "'('", "one of = != < <= > >= ~= in, not in, has, is"),
        ],
    )
    def test_what_cannot_be_read_is_said_with_its_place(self, text, at, found, accepted):
        with pytest.raises(QueryError) as caught:
            parse_filter(text)
        expected = f"query {text!r}, column {at}: {found} was found where {accepted} is expected"
        assert str(caught.value) == expected

    @pytest.mark.parametrize("text", ["(" * 5000, "not " * 5000 + "x=1", "x=" + "9" * 5000])
    def test_a_text_too_deep_or_long_is_refused(self, text):
        with pytest.raises(QueryError, match="at most"):
            parse_filter(text)

    @pytest.mark.parametrize("word", ["and", "or"])
    def test_a_filter_may_be_as_long_as_it_likes(self, word):
        text = f" {word} ".join(["x = 1"] * 5000)
        assert numbers_of(ask(runs_with(1, 2), text)) == [0]

    def test_a_minus_stands_only_before_what_is_sorted_by(self):
        assert [each.descending for each in Query(sort="-x, y").sort] == [True, False]
        with pytest.raises(QueryError, match="-x: a minus stands only"):
            Query(columns="-x")

    def test_a_limit_below_zero_is_refused(self):
        with pytest.raises(QueryError, match="limit is -1"):
            Query(limit=-1)

    @given(st.text(max_size=30))
    def test_any_text_is_parsed_or_refused_by_a_query_error(self, text):
        with suppress(QueryError):
            assert parse_filter(written(found := parse_filter(text))) == found


literals = st.one_of(
    st.booleans(),
    st.integers(),
    st.sampled_from([2**53 + 1, 2.0**53, 2**70, -0.0, math.inf, -math.inf, math.nan]),
    st.floats(allow_nan=False),
    st.text(max_size=3),
)
columns = st.sampled_from([Column("x", "params"), Column("y", "metrics"), Column("z z", "metrics")])
tests = st.one_of(
    st.builds(Comparison, columns, st.sampled_from(["=", "!="]), literals | st.none()),
    st.builds(Comparison, columns, st.sampled_from(["<", "<=", ">", ">="]), literals),
    st.builds(Comparison, columns, st.just("~="), st.text(max_size=1)),
    st.builds(Member, columns, st.lists(literals, min_size=1, max_size=3).map(tuple)),
    st.builds(Has, columns, literals),
    st.builds(Missing, columns),
)


def compound(inner):
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, inner) | st.builds(And, several) | st.builds(Or, several)


expressions = st.recursive(tests, compound, max_leaves=5)
values = st.one_of(literals, st.none(), st.lists(st.integers(0, 2), max_size=2))
fields = st.fixed_dictionaries({}, optional={"x": values})
metrics = st.fixed_dictionaries({}, optional={"y": values, "z z": values, 'q"': values})


@given(expressions)
def test_an_expression_written_and_parsed_is_itself(expression):
    assert parse_filter(written(expression)) == expression


def kind(value):
    if value is None or isinstance(value, bool):
        return type(value).__name__
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "other"


def same(a, b):
    nan = [isinstance(each, float) and math.isnan(each) for each in (a, b)]
    return kind(a) == kind(b) and (all(nan) or (not any(nan) and a == b))


def exact(value):
    return Fraction(value) if kind(value) == "number" and math.isfinite(value) else value


def less(a, b):
    return kind(a) == kind(b) != "NoneType" and exact(a) < exact(b)


def holds(e, run):  # noqa: PLR0911
    """Say from the description alone whether a filter holds."""
    if isinstance(e, And | Or):
        return (all if isinstance(e, And) else any)([holds(part, run) for part in e.parts])
    if isinstance(e, Not):
        return not holds(e.part, run)
    of = run.params_resolved if e.column.section == "params" else run.metrics
    found = of.get(e.column.name)
    if isinstance(e, Missing):
        return found is None
    if isinstance(e, Member):
        return any(same(found, value) for value in e.values)
    if isinstance(e, Has):
        return isinstance(found, list) and any(same(each, e.value) for each in found)
    if e.sign == "~=":
        return isinstance(found, str) and e.value in found
    return {
        "=": same(found, e.value),
        "!=": not same(found, e.value),
        "<": less(found, e.value),
        ">": less(e.value, found),
        "<=": less(found, e.value) or (less_or_same(found, e.value)),
        ">=": less(e.value, found) or (less_or_same(found, e.value)),
    }[e.sign]


def less_or_same(a, b):
    return same(a, b) and a == b  # NaN is neither


@given(st.lists(st.tuples(fields, metrics), max_size=6), expressions)
@settings(max_examples=150)
def test_filters_answer_as_the_model_does(given_values, expression):
    records = [
        made(n, index=n, params_resolved=p, metrics=m) for n, (p, m) in enumerate(given_values)
    ]
    expected = [n for n, each in enumerate(records) if holds(expression, each)]
    assert numbers_of(ask(records, expression)) == expected


RANK = {"bool": 0, "number": 1, "text": 2, "other": 3}


def compared(a, b, sign):
    """Compare as the description says."""

    def last(value):
        if value is None:
            return 2
        return int(isinstance(value, float) and math.isnan(value))

    if last(a) or last(b):
        return last(a) - last(b)
    if kind(a) != kind(b):
        return sign * (RANK[kind(a)] - RANK[kind(b)])
    a, b = exact(a), exact(b)
    return sign * ((a > b) - (a < b))


@given(
    st.lists(literals | st.none(), max_size=12), st.booleans(), st.integers(0, 5), st.integers(0, 5)
)
@settings(max_examples=150)
def test_sort_limit_and_offset_answer_as_the_model_does(given_values, down, limit, offset):
    records = runs_with(*given_values)
    sign = -1 if down else 1
    places = sorted(
        range(len(records)),
        key=cmp_to_key(lambda a, b: compared(given_values[a], given_values[b], sign)),
    )
    sort = ("-" if down else "") + "params.x"
    random.Random(1).shuffle(records)
    assert numbers_of(ask(records, sort=sort)) == places
    limited = ask(records, sort=sort, limit=limit, offset=offset)
    assert numbers_of(limited) == places[offset : offset + limit]


@given(st.lists(values, min_size=2, max_size=5), st.booleans())
def test_the_order_is_total_and_equal_values_have_equal_keys(given_values, down):
    keys = sorted(sort_key(value, descending=down) for value in given_values)
    assert all(one <= other for one, other in pairwise(keys))
    for a in given_values:
        for b in given_values:
            one, other = sort_key(a, descending=down), sort_key(b, descending=down)
            assert (one < other) + (one == other) + (other < one) == 1
            assert (one == other) == equal(a, b) == (sort_key(a) == sort_key(b))


class TestNames:
    def test_a_bare_name_is_the_param_or_metric(self):
        table = ask(runs_with(1, 2), "x > 1 and score > 0", columns="x, score")
        assert list(table.rows()) == [{"x": 2, "score": 1.5}]

    def test_a_name_that_is_both_is_refused_even_if_no_run_passes(self):
        records = [made(0, params_resolved={"a": 1}), made(1, metrics={"a": 1})]
        with pytest.raises(QueryError, match=r"'a' may mean params.a or metrics.a"):
            ask(records, "status = failed and a = 1", limit=0)

    def test_a_name_that_no_run_has_is_refused_with_those_there_are(self):
        with pytest.raises(
            QueryError, match="no run has a param or metric 'lr'; there is score, x"
        ):
            ask(runs_with(1), "lr = 1")
        assert len(ask([], "lr = 1")) == 0

    def test_a_qualified_name_that_no_run_has_is_missing(self):
        assert len(ask(runs_with(1), "params.lr is missing")) == 1

    @pytest.mark.parametrize("name", ['a"b', "a\\b", "$x", "\ud800", "é", "a b", "a\nb", "$dict"])
    def test_an_odd_name_is_found(self, name):
        records = [made(0, metrics={name: 2**70}), made(1, metrics={"other": 1})]
        query = Comparison(Column(name, "metrics"), "=", 2**70)
        assert numbers_of(ask(records, query)) == [0]
        assert parse_filter(written(query)) == query

    def test_the_columns_of_the_record(self):
        error = {"type": "E", "message": "out of memory", "traceback": ""}
        record = made(3, Status.FAILED, index=7, tags=["a", "b"], error=error, replicate=2)
        record = attrs.evolve(record, seed=2**80)
        (row,) = ask(
            [record],
            "error ~= memory and tags has a and started_at >= '2024-05-06' and seed > 1e24",
            columns="run_id,index,status,duration_ms,error,error.type,tags,replicate,seed,started_at",
        ).values
        assert row == (
            run_id(3), 7, "failed", 1.5, "E: out of memory", "E", ["a", "b"], 2, 2**80,
            "2024-05-06T07:08:09.123456Z",
        )  # fmt: skip


class TestPruning:
    def test_a_filter_on_the_status_decodes_nothing_else(self):
        pruned = Pruned(Query("status = failed").needed())
        assert pruned.fields == {"": ("id", "index", "status")}

    def test_two_metrics_cost_two_metrics(self):
        pruned = Pruned(Query("metrics.a < 1", sort="metrics.b").needed())
        assert pruned.fields["metrics"] == ("$dict", "a", "b")
        assert set(pruned.fields) == {"", "metrics"}


class TestAggregates:
    def test_groups_count_and_describe(self):
        records = [
            made(0, index=0, params_resolved={"g": 1}, metrics={"v": 1.0}),
            made(1, index=1, params_resolved={"g": True}, metrics={"v": math.nan}),
            made(2, index=2, params_resolved={"g": 1.0}, metrics={"v": 3}),
            made(3, Status.FAILED, index=3, params_resolved={}, metrics={"v": "text"}),
        ]
        table = ask(records[::-1], aggregate=Aggregate(by="g", of="v"))
        half = 12.706204736174698 * 2**0.5 / 2**0.5
        first, second, third = table.rows()
        assert {k: v for k, v in first.items() if "low" not in k and "high" not in k} == {
            "g": 1, "runs": 2, "failed": 0, "v.n": 2, "v.mean": 2.0, "v.sd": 2**0.5,
            "v.min": 1.0, "v.max": 3,
        }  # fmt: skip
        assert (first["v.low"], first["v.high"]) == pytest.approx((2 - half, 2 + half), rel=1e-12)
        assert (second["g"], second["v.n"], second["v.mean"]) == (True, 0, None)
        assert (third["g"], third["runs"], third["failed"]) == (None, 1, 1)

    def test_groups_are_sorted_limited_and_cut_to_columns(self):
        aggregate = Aggregate(by="params.x", of="score")
        query = {"aggregate": aggregate, "sort": "-score.mean", "columns": "params.x,score.mean"}
        table = ask(runs_with("a", "b", "a", "b"), **query, limit=1)
        assert list(table.rows()) == [{"params.x": "b", "score.mean": 2.5}]
        with pytest.raises(QueryError, match="groups have no column 'score'"):
            ask(runs_with(1), aggregate=aggregate, sort="score")

    @given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=30))
    def test_mean_and_deviation_are_exact_to_rounding(self, numbers):
        sample = Sample.of(numbers)
        fractions = [Fraction(number) for number in numbers]
        assert sample.mean == pytest.approx(float(mean(fractions)), rel=1e-12, abs=1e-300)
        assert sample.sd == pytest.approx(float(stdev(fractions)), rel=1e-12, abs=1e-300)

    def test_a_small_spread_about_a_large_mean_is_found(self):
        assert Sample.of([1e9 + 1, 1e9 + 2, 1e9 + 3]).sd == pytest.approx(1, rel=1e-12)

    def test_sums_beyond_the_range_of_floats(self):
        assert Sample.of([1.7e308, 1.7e308]).mean == 1.7e308
        assert Sample.of([5e-324, 5e-324]).sd == 0
        assert Sample.of([math.inf, 1.0]).mean == math.inf
        assert math.isnan(Sample.of([math.inf, -math.inf]).mean)

    @pytest.mark.parametrize(
        ("freedom", "quantile"),
        [  # mpmath 1.4.1 with 40 digits, by the incomplete beta function
            (1, 12.7062047361747046),
            (2, 4.30265272974946385),
            (4, 2.77644510519779436),
            (9, 2.26215716279820554),
            (30, 2.04227245630123831),
            (999, 1.96234146113344998),
            (1001, 1.96233670528087992),
            (5000, 1.96043855170650792),
        ],
    )
    def test_quantiles_of_student(self, freedom, quantile):
        assert student_quantile(freedom) == pytest.approx(quantile, rel=1e-12)

    def test_the_expansion_meets_the_closed_form(self):
        steps = [student_quantile(n) for n in (999, 1000, 1001, 1002)]
        assert steps == sorted(steps, reverse=True)
        differences = [one - other for one, other in pairwise(steps)]
        assert differences == pytest.approx([differences[0]] * 3, rel=1e-2)


def test_a_store_on_disk_answers(tmp_path):
    with store_at(tmp_path) as store:
        with store.writer("launch") as writer:
            for record in runs_with(3, 1, 2):
                writer.put(record)
        assert numbers_of(store.query(Query("x < 3", sort="x"))) == [1, 2]
