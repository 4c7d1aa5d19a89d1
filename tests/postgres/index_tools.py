"""What the tests of answers share: random stores of all kinds of values, and their index."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import strategies as st

from core.store_tools import made
from metalab.records import Status
from metalab.store import Query
from metalab.store.query.expression import (
    And,
    Column,
    Comparison,
    Has,
    Member,
    Missing,
    Not,
    Or,
)
from metalab.store.query.query import Aggregate, Sort
from strategies import Level, Spot, Word

NUMBERS = (
    0, -0.0, 0.5, 1, 1.0, -1, 5e-324, 1e-5, 0.1, 0.1 + 0.2,
    2**53 - 1, 2**53, 2**53 + 1, 2.0**53, 2.0**53 + 2, 1e16, 10**16, 10**16 + 1,
    1.2345678901234568e17, 123456789012345677, 2**63 - 1, -(2**63), 2.0**63, 2**63,
    9.223372036854775e18, 9223372036854774784, 1e22, 10**22, 1e23, 10**23, 2**70, 2.0**70,
    10**308, 1.7976931348623157e308, 10**309, 10**400, -(10**400), 10**700, -(10**700),
    math.nan, math.inf, -math.inf, Level.LOW, Decimal("0.5"),
)  # fmt: skip
TEXTS = (
    "", "a", "A", "ab", "b", "é", "e\u0301", "\uffff", "\U0001f600", "nan", "1", "true", "null",
    'a"b', "it's", "a\\b", "%s", "a\nb", "a\tb", "x\0y", "\ud800", "{}", "$float", "\x7f", "[1]",
)  # fmt: skip
OTHERS = (
    [], [1], [1.0], (1,), (1, "a"), ["a"], ["a", None], [True], [1e-5], [1e22], [math.nan],
    [2**70], [["a"]], ("a\nb",), ["{"], ["é"], ((1,),), {"a": 1}, {"$float": "1"},
    {"b": 1, "aa": 2}, {1: 2}, b"bytes", frozenset({1}), datetime(2020, 1, 1, tzinfo=UTC),
    1 + 2j, Spot(1), Word.RED, ["\0"],
)  # fmt: skip
NAMES = ("x", "y", "a b", 'a"b', "it's", "%s", "a.b", "é", "n" * 70, "n\0l", "\ud800", "", "$tag")
LITERALS = (*(each for each in NUMBERS if type(each) in {int, float}), *TEXTS, True, False, None)
RECORD = (
    "run_id", "index", "experiment_id", "status", "started_at", "finished_at", "duration_ms",
    "seed", "replicate", "attempt", "code_hash", "tags", "notes", "error", "error.type",
    "error.message",
)  # fmt: skip

few_names = st.sampled_from(NAMES[:2]) | st.sampled_from(NAMES)
values = (
    st.sampled_from(NUMBERS)
    | st.sampled_from(NUMBERS)
    | st.sampled_from(TEXTS)
    | st.sampled_from(OTHERS)
    | st.sampled_from([True, False, None])
    | st.floats()
    | st.integers(-(2**66), 2**66)
    | st.text(max_size=3)
)
literals = (
    st.sampled_from(LITERALS) | st.floats() | st.integers(-(2**66), 2**66) | st.text(max_size=2)
)


def sections(of):
    """Params or metrics, whose values are mostly of few kinds."""
    return st.dictionaries(few_names, of, max_size=3)


@st.composite
def records(draw, of):
    """A record of one of few runs, so that some have several attempts."""
    status = draw(st.sampled_from(list(Status)))
    fields = {
        "params_resolved": draw(sections(of)),
        "metrics": draw(sections(of)),
        "index": draw(st.integers(0, 3)),
        "attempt": draw(st.integers(1, 3)),
        "seed": draw(st.sampled_from([None, 0, 7, 2**70, -1])),
        "replicate": draw(st.sampled_from([None, 0, 1])),
        "tags": draw(st.lists(st.sampled_from(["base", "é", "a\0b"]), max_size=2)),
        "notes": draw(st.sampled_from([None, "", "read me", "n\0"])),
    }
    if status is Status.FAILED:
        fields["error"] = draw(
            st.sampled_from([{}, {"type": "E"}, {"type": "E", "message": "oh\0no"}, None])
        )
    return made(draw(st.integers(0, 7)), status, **fields)


@st.composite
def histories(draw):
    """What was done to a store: records that were put, runs that were forgotten."""
    of = draw(
        st.sampled_from(
            [
                values,
                st.sampled_from((*OTHERS, 1, 2.0, "a")),
                st.sampled_from(NUMBERS),
                st.sampled_from(TEXTS),
                st.floats(),
            ]
        )
    )
    steps = records(of) | records(of) | records(of) | st.integers(0, 7)
    return draw(st.lists(steps, max_size=10))


def _of_one_kind(kind):
    return st.lists(records(kind | st.none()) | records(kind), max_size=6)


plain_histories = st.one_of(
    _of_one_kind(st.floats()),
    _of_one_kind(st.floats(1e-4, 1e4)),
    _of_one_kind(st.integers(-(2**63), 2**63 - 1)),
    _of_one_kind(st.integers(-3, 3)),
    _of_one_kind(st.booleans()),
    _of_one_kind(st.text(st.characters(exclude_characters="\0"))),
    _of_one_kind(st.sampled_from(["", "a", "nan", "\\N", "NULL", "a,b", 'a"b', "a\nb", "a\r"])),
    _of_one_kind(values),
    histories(),
)
"""Mostly values of one kind under each name, as those of real experiments are."""

columns = (
    st.builds(Column, few_names, st.sampled_from(["params", "metrics"]))
    | st.builds(Column, st.sampled_from(["x", "y"]), st.just("params"))
    | st.builds(Column, st.sampled_from(["x", "y"]), st.just("metrics"))
    | st.sampled_from(["x", "y"]).map(Column)
    | st.sampled_from(RECORD).map(Column)
)
tests = (
    st.builds(Comparison, columns, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), literals)
    | st.builds(Comparison, columns, st.just("~="), st.sampled_from(TEXTS))
    | st.builds(Member, columns, st.lists(literals, min_size=1, max_size=4).map(tuple))
    | st.builds(Has, columns, literals)
    | st.builds(Missing, columns)
).filter(
    lambda test: (
        not (isinstance(test, Comparison) and test.value is None and test.sign not in {"=", "!="})
    )
)
filters = st.recursive(
    tests,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=5,
)
few_columns = st.lists(columns, max_size=3).map(tuple)


@st.composite
def queries(draw):
    """Any query, of runs or of groups."""
    aggregate = draw(st.none() | st.none() | st.builds(Aggregate, few_columns, few_columns))
    sorting = st.builds(Sort, columns, st.booleans())
    if aggregate is not None:
        told = [*aggregate.by, Column("runs"), *(Column(f"{each}.mean") for each in aggregate.of)]
        sorting = st.builds(Sort, st.sampled_from(told), st.booleans())
    return Query(
        filter=draw(st.none() | filters),
        sort=draw(st.lists(sorting, max_size=2).map(tuple)),
        limit=draw(st.none() | st.integers(0, 4)),
        offset=draw(st.sampled_from([0, 0, 0, 1, 3])),
        columns=() if aggregate is not None else draw(few_columns),
        aggregate=aggregate,
    )


def fill(store, history):
    """Do to a store what a history says."""
    with store.writer("launch") as writer:
        for step in history:
            if isinstance(step, int):
                writer.forget(f"{step:032x}", step % 3)
            else:
                writer.put(step)
