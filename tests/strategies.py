"""Hypothesis strategies for all that may identify a run, and a strict notion of sameness."""

from __future__ import annotations

import dataclasses
import enum
import math
import struct
from collections import namedtuple
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
from hypothesis import strategies as st


class Colour(enum.Enum):
    RED = 1
    BLUE = "RED"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Word(enum.StrEnum):
    RED = "red"


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Bits(enum.IntFlag):
    ONE = 1
    TWO = 2


@dataclasses.dataclass(frozen=True)
class Point:
    x: Any
    y: Any = None


@dataclasses.dataclass(frozen=True, slots=True)
class Pixel:
    x: Any
    y: Any = None


@attrs.frozen
class Spot:
    x: Any
    y: Any = None


@attrs.frozen(slots=False, cache_hash=True)
class Stain:
    x: Any
    y: Any = None


class Pair(NamedTuple):
    x: Any
    y: Any


Couple = namedtuple("Couple", "x y")  # noqa: PYI024 - both ways of making one are under test


def top_level(x):
    """A function that a parameter may name."""
    return x


class Holder:
    def method(self):
        return self

    @classmethod
    def build(cls):
        return cls()


def _times(kind):
    zones = st.sampled_from(
        [None, UTC, timezone(timedelta(hours=2)), timezone(timedelta(minutes=-90), "odd")]
    )
    zones |= st.just(ZoneInfo("Europe/Berlin"))
    return kind(timezones=zones) | kind().map(lambda value: value.replace(fold=1))


def _paths():
    names = st.text(st.characters(codec="ascii", exclude_characters='\0/\\:<>"|?*'), min_size=1)
    kinds = st.sampled_from([Path, PurePosixPath, PureWindowsPath])
    return st.builds(lambda kind, parts: kind(*parts), kinds, st.lists(names, max_size=3))


def texts():
    """Any string of Python, halves of surrogate pairs and tag-like ones included."""
    return st.text() | st.text(st.characters()) | st.sampled_from(["NaN", "$int", "$", "1", ""])


def leaves():
    """Values that contain no others and may stand in a set."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-3, 3),
        st.sampled_from([2**63, -(2**63) - 1, 10**30, 2**5000]),
        st.floats(),
        st.sampled_from([0.0, -0.0, 1.0, 1e16, -1e17, 1e300, math.nan, math.inf]),
        texts(),
        st.binary(max_size=8),
        st.complex_numbers(),
        st.dates() | _times(st.datetimes) | st.timedeltas(),
        st.times() | st.times(timezones=st.just(UTC)),
        # Signalling NaNs cannot be members of sets.
        st.decimals().filter(lambda value: not value.is_snan()),
        st.sampled_from([Decimal("1.0"), Decimal("1.00"), Decimal("-0")]),
        st.uuids() | st.just(UUID(int=0)),
        _paths(),
        st.sampled_from([*Colour, *Level, *Word, *Access, Access.READ | Access.WRITE, Access(0)]),
        st.sampled_from([Bits.ONE, Bits.ONE | Bits.TWO]),
        st.sampled_from([len, math.sqrt, top_level, Holder.method, Holder.build, dict, Point]),
    )


def _containers(inner):
    sets = st.lists(leaves(), max_size=3)
    objects = st.sampled_from([Point, Pixel, Spot, Stain, Pair, Couple])
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        sets.map(set),
        sets.map(frozenset),
        st.dictionaries(texts(), inner, max_size=3),
        st.dictionaries(leaves(), inner, max_size=3),
        st.builds(lambda cls, x, y: cls(x, y), objects, inner, inner),
    )


def values():
    """Any value that may identify a run, nested."""
    return st.recursive(leaves() | st.just(Decimal("sNaN")), _containers, max_leaves=8)


def params():
    """What an operation receives as its params."""
    return st.dictionaries(texts(), values(), max_size=4)


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same in type and value, all through; NaN is NaN."""
    if type(one) is not type(other):
        return False
    compare = _COMPARE.get(type(one))
    return bool(one == other) if compare is None else compare(one, other)


def _same_fields(one, other):
    return same([one.x, one.y], [other.x, other.y])


def _same_items(one, other):
    return len(one) == len(other) and all(map(same, one, other))


def _bits(value):
    return "nan" if math.isnan(value) else struct.pack(">d", value)


def _clock(value):
    return value.replace(tzinfo=None).isoformat(), value.fold, repr(value.tzinfo)


def _same_members(one, other):
    if len(one) != len(other):
        return False
    left = list(other)
    for item in one:
        match = next((i for i, candidate in enumerate(left) if same(item, candidate)), None)
        if match is None:
            return False
        del left[match]
    return True


_COMPARE = {
    complex: lambda a, b: same([a.real, a.imag], [b.real, b.imag]),
    datetime: lambda a, b: _clock(a) == _clock(b),
    Decimal: lambda a, b: str(a) == str(b),
    dict: lambda a, b: _same_members(list(a.items()), list(b.items())),
    float: lambda a, b: _bits(a) == _bits(b),
    frozenset: lambda a, b: _same_members(list(a), list(b)),
    set: lambda a, b: _same_members(list(a), list(b)),
    time: lambda a, b: _clock(a) == _clock(b),
    **dict.fromkeys((list, tuple, Pair, Couple), _same_items),
    **dict.fromkeys((Pixel, Point, Spot, Stain), _same_fields),
}
__all__ = [
    "Access",
    "Bits",
    "Colour",
    "Couple",
    "Holder",
    "Level",
    "Pair",
    "Pixel",
    "Point",
    "Spot",
    "Stain",
    "Word",
    "leaves",
    "params",
    "same",
    "texts",
    "top_level",
    "values",
]
