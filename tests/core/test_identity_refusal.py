"""Refusals: what cannot be told apart from others is named, with what to write instead."""

from __future__ import annotations

import collections
import dataclasses
import enum
import logging
import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from metalab.errors import IdentityError
from metalab.identity.canonical import canonical_bytes
from metalab.plugins import SERIALIZERS
from strategies import Pair, Point


class Model:
    pass


class Odd:
    def __repr__(self):
        return "odd"


class Ordered(collections.OrderedDict):
    pass


class Plain:
    __slots__ = ("x",)


@dataclasses.dataclass
class Base:
    x: int


class Undecorated(Base):
    def __init__(self, x, y):
        super().__init__(x)
        self.y = y


@dataclasses.dataclass
class Unset:
    x: int = dataclasses.field(init=False)


class Named(Pair):
    pass


class TestRefusal:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (Model(), "Model cannot be told apart .* give its class fingerprint_payload"),
            (Plain(), "cannot be told apart"),
            (object(), "cannot be told apart"),
            (iter([]), "cannot be told apart"),
            (math, "cannot be told apart"),
            (logging.getLogger("x"), "cannot be told apart"),
            (Fraction(1, 2), "cannot be told apart"),
            (bytearray(b"x"), "cannot be told apart"),
            (collections.OrderedDict(), r"more than the dict it extends.*write dict\(\.\.\.\)"),
            (collections.defaultdict(list), r"write dict\(\.\.\.\)"),
            (Ordered(), r"write dict\(\.\.\.\)"),
            (type("Number", (int,), {})(1), r"write int\(\.\.\.\)"),
            (lambda x: x, "lambda .* define it with def at the top level"),
            (Undecorated(1, 2), "extends a class with fields but has none declared"),
            (Unset(), "the field 'x' of Unset is unset"),
            (Model().__init__, "does not lead back|has no name|cannot be told apart"),
            ([].append, "has no name it could be imported by"),
            (list[int], "does not lead back"),
        ],
    )
    def test_what_cannot_be_told_apart_is_refused_with_advice(self, value, text):
        with pytest.raises(IdentityError, match=text):
            canonical_bytes(value)

    def test_a_named_tuple_with_attributes_is_refused(self):
        value = Named(1, 2)
        value.z = 3
        with pytest.raises(IdentityError, match="attributes beside its fields"):
            canonical_bytes(value)

    def test_a_function_or_class_defined_inside_a_function_is_refused(self):
        def local():
            pass

        class Kind(enum.Enum):
            A = 1

        for value in (local, Kind, Kind.A):
            with pytest.raises(IdentityError, match="move it to the top level of a module"):
                canonical_bytes(value)

    @pytest.mark.parametrize(
        ("value", "place"),
        [
            ({"opt": {"lr": [1, 2, Model()]}}, r"params\['opt'\]\['lr'\]\[2\]: "),
            ({"p": Point(1, (Model(),))}, r"params\['p'\]\.y\[0\]: "),
            ({"k": {Odd()}}, r"params\['k'\]\{odd\}: "),
            ({"t": Pair(1, Model())}, r"params\['t'\]\[1\]: "),
            ({Odd(): 1}, r"params\[odd\]: "),
            ({"d": {(1,): Model()}}, r"params\['d'\]\[\(1,\)\]: "),
        ],
    )
    def test_a_refusal_names_the_place(self, value, place):
        with pytest.raises(IdentityError, match=f"^{place}"):
            canonical_bytes(value, "params")

    def test_what_contains_itself_is_refused(self):
        value = []
        value.append(value)
        with pytest.raises(IdentityError, match="params: contains itself"):
            canonical_bytes({"x": value}, "params")

    def test_a_time_zone_without_a_name_is_refused(self):
        class Zone(type(UTC).__base__):
            def utcoffset(self, _):
                return timedelta(0)

        with pytest.raises(IdentityError, match=r"use datetime.timezone or zoneinfo"):
            canonical_bytes(datetime(2020, 1, 1, tzinfo=Zone()))

    def test_a_refusal_is_a_type_error(self):
        with pytest.raises(TypeError):
            canonical_bytes(object())

    def test_numpy_without_its_plugin_says_what_is_missing(self, monkeypatch):
        numpy = pytest.importorskip("numpy")
        monkeypatch.setattr(SERIALIZERS, "_index", {})
        for value in (numpy.float64(0.1), numpy.zeros(2)):
            with pytest.raises(IdentityError, match=r"no metalab\.serializers plugin .* 'numpy'"):
                canonical_bytes(value)
