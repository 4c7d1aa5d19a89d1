"""Canonical bytes: no two values share them, no process changes them."""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
import math
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import attrs
import pytest
from hypothesis import given, strategies as st

from metalab.errors import IdentityError
from metalab.identity.canonical import (
    canonical_bytes,
    canonical_item,
    canonical_mapping,
    fingerprint,
    hash_bytes,
)
from strategies import (
    Access,
    Bits,
    Colour,
    Couple,
    Holder,
    Level,
    Pair,
    Pixel,
    Point,
    Spot,
    Stain,
    Word,
    params,
    same,
    top_level,
    values,
)

GOLDENS = Path(__file__).parent / "goldens" / "identity.json"

DISTINCT = [
    None,
    True,
    False,
    0,
    1,
    -1,
    255,
    2**70,
    -(2**70),
    0.0,
    -0.0,
    1.0,
    0.1,
    math.nan,
    math.inf,
    -math.inf,
    1j,
    complex(1, -0.0),
    complex(1, 0.0),
    "",
    "1",
    "1.0",
    "NaN",
    "None",
    "True",
    "\u00e9",
    "e\u0301",  # the same letter, composed of two
    "\ud800",
    "s1:1",
    b"",
    b"1",
    b"\x00",
    [],
    [1],
    [1.0],
    [[1]],
    [1, 2],
    [12],
    [2, 1],
    (),
    (1,),
    (1, 2),
    {1},
    frozenset({1}),
    set(),
    frozenset(),
    {},
    {1: 2},
    {"1": 2},
    {1.0: 2},
    {True: 2},
    {(1,): 2},
    {"a": 1, "b": 2},
    {"a": 2, "b": 1},
    {"ab": "c"},
    {"a": "bc"},
    {"__bytes__": "1"},
    {"$bytes": "1"},
    Colour.RED,
    Colour.BLUE,
    Level.LOW,
    Level.HIGH,
    Word.RED,
    Bits.ONE,
    Access.READ,
    Access.READ | Access.WRITE,
    Access(0),
    Point(1, 2),
    Point(2, 1),
    Point(1),
    Pixel(1, 2),
    Spot(1, 2),
    Stain(1, 2),
    Pair(1, 2),
    Couple(1, 2),
    Path("a"),
    Path("a/b"),
    date(2020, 1, 1),
    datetime(2020, 1, 1),  # noqa: DTZ001 - naive ones are values, too
    datetime(2020, 1, 1, fold=1),  # noqa: DTZ001
    datetime(2020, 1, 1, tzinfo=UTC),
    time(0),
    time(0, tzinfo=UTC),
    timedelta(1),
    Decimal(1),
    Decimal("1.0"),
    Decimal("NaN"),
    UUID(int=1),
    len,
    math.sqrt,
    top_level,
    Holder,
    Holder.method,
    Holder.build,
    dict,
    Point,
    "strategies:Point",
]


class TestCanonicalBytes:
    def test_values_that_differ_in_type_or_value_never_share_bytes(self):
        found = collections.defaultdict(list)
        for value in DISTINCT:
            found[canonical_bytes(value)].append(value)
        assert [group for group in found.values() if len(group) > 1] == []

    @given(values(), values())
    def test_bytes_are_equal_exactly_when_the_values_are_the_same(self, one, other):
        assert (canonical_bytes(one) == canonical_bytes(other)) == same(one, other)

    @given(st.lists(values(), max_size=3), st.lists(values(), max_size=3))
    def test_neighbours_never_run_into_each_other(self, one, other):
        joined = b"".join(map(canonical_bytes, one)), b"".join(map(canonical_bytes, other))
        assert (joined[0] == joined[1]) == same(one, other)

    def test_the_order_of_a_dict_and_of_a_set_does_not_count(self):
        assert canonical_bytes({"a": 1, "b": 2}) == canonical_bytes({"b": 2, "a": 1})
        words = [f"word {i}" for i in range(50)]
        assert canonical_bytes(set(words)) == canonical_bytes({*words[25:], *words[:25]})

    def test_keys_and_members_of_several_types_are_accepted(self):
        assert canonical_bytes({1: "a", "1": "b", None: "c", (1, "x"): "d"})
        assert canonical_bytes({1, "1", None, (1, "x"), b"1"})

    def test_every_nan_is_one_nan(self):
        assert canonical_bytes(math.nan) == canonical_bytes(-math.nan)

    def test_a_key_that_equals_a_remembered_one_keeps_its_own_type(self):
        assert canonical_bytes({"red": 1}) != canonical_bytes({Word.RED: 1})
        assert canonical_bytes({Word.RED: 1}) == canonical_bytes({Word.RED: 1})

    def test_more_keys_than_are_remembered_do_no_harm(self):
        many = {f"key {i}": i for i in range(10_000)}
        assert canonical_bytes(many) == canonical_bytes(dict(reversed(many.items())))

    def test_the_fields_of_a_dataclass_count_whatever_equality_says(self):
        assert canonical_bytes(Loose(1)) != canonical_bytes(Loose(2))

    def test_attributes_beside_the_fields_count_and_cached_ones_do_not(self):
        plain, used, extended = Loose(1), Loose(1), Loose(1)
        assert used.double == 2
        extended.more = 3
        assert canonical_bytes(used) == canonical_bytes(plain)
        assert canonical_bytes(extended) != canonical_bytes(plain)

    def test_a_cached_hash_is_no_part_of_the_value(self):
        used = Stain(1, 2)
        hash(used)
        assert canonical_bytes(used) == canonical_bytes(Stain(1, 2))

    def test_objects_that_came_and_went_leave_nothing_behind(self):
        """Memory is used again: an object's address says nothing about it."""
        assert len({fingerprint(Loose(i)) for i in range(2000)}) == 2000
        assert len({fingerprint(Payload(i)) for i in range(2000)}) == 2000

    def test_an_object_may_say_what_identifies_it(self):
        assert canonical_bytes(Payload(1)) == canonical_bytes(Payload(1))
        assert canonical_bytes(Payload(1)) != canonical_bytes(Payload(2))
        assert canonical_bytes(Payload(1)) != canonical_bytes(1)
        assert canonical_bytes(Payload(1)) != canonical_bytes(OtherPayload(1))

    def test_bytes_are_those_committed(self):
        goldens = json.loads(GOLDENS.read_text())["canonical"]
        found = {repr(value): canonical_bytes(value).hex() for value in golden_values()}
        assert found == goldens


@dataclasses.dataclass
class Loose:
    x: int = dataclasses.field(compare=False)

    @functools.cached_property
    def double(self):
        return 2 * self.x


@attrs.frozen
class Payload:
    x: int

    def fingerprint_payload(self):
        return {"x": self.x}


class OtherPayload(Payload):
    pass


def golden_values():
    """A value of each kind whose bytes may never change within a major version."""
    return [
        value
        for value in DISTINCT
        # Their classes belong to test modules, whose names depend on how tests are run.
        if not callable(value)
    ]


class TestFingerprint:
    def test_it_is_the_hash_of_the_canonical_bytes(self):
        assert fingerprint({"a": 1}) == hash_bytes(canonical_bytes({"a": 1}))

    def test_fingerprints_are_those_committed(self):
        goldens = json.loads(GOLDENS.read_text())["fingerprints"]
        assert {text: fingerprint(eval(text)) for text in goldens} == goldens

    @pytest.mark.parametrize("seed", ["0", "1", "2"])
    def test_it_is_the_same_in_every_process(self, seed):
        value = "{'s': {'a', 'b', 1, None}, 'f': frozenset('xyz'), 'd': {3: 1, 'k': (1.5,)}}"
        code = f"from metalab.identity.canonical import *; print(fingerprint({value}))"
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        )
        assert run.stdout.strip() == fingerprint(eval(value))


class TestCanonicalMapping:
    @given(params())
    def test_items_encoded_alone_join_to_the_bytes_of_the_dict(self, found):
        items = [canonical_item(key, value) for key, value in found.items()]
        assert canonical_mapping(items) == canonical_bytes(found)
        assert canonical_mapping(reversed(items)) == canonical_bytes(found)

    def test_a_refusal_names_the_place_it_was_given(self):
        with pytest.raises(IdentityError, match=r"^params\['x'\]\[3\]: "):
            canonical_item("x", object(), "params['x'][3]")
