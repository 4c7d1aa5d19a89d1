"""Packing: lists of values as typed memory, where nothing is lost by that, and the way back.

Values are those of a line before tagged JSON is revived; they are revived as they come back.
"""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from operator import countOf
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from metalab.identity.values import from_jsonable
from metalab.results.cached.column import NOT_A_TIME, Coded, Ids, Listed, Moments, Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from metalab.results.cached.column import Part

__all__ = ["Packed", "packed", "packed_ids", "packed_moments", "packed_tags", "unpacked"]

_NONE = type(None)
_FORMATS = {float: "d", int: "q", bool: "?"}
_FEW = 2  # a table of different values has at most the half as many entries as there are values
_SAMPLE = 4096
_FORM = "0000-00-00T00:00:00.000000Z"
_TEXT, _SECOND = len(_FORM), 19  # characters of a moment, and of one without its fraction
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@attrs.frozen
class Packed:
    """The bytes of a column, and the word that says how to read them."""

    kind: str
    buffers: Sequence[bytes | array[Any]]


def packed(values: list[Any]) -> Packed:
    """Pack the values of a column."""
    kinds = _kinds(values)
    if kinds & {dict, list}:
        revived = [from_jsonable(v) if type(v) in {dict, list} else v for v in values]
        if _kinds(revived) <= {float, _NONE}:  # NaN and infinities are tagged in JSON
            return packed(revived)
        return _listed(values)  # each a value of its own: many can be changed
    number, *more = kinds - {_NONE} or {_NONE}
    if number in _FORMATS and not more:
        return _numbers(values, number, gaps=_NONE in kinds) or _listed(values)
    # Of one type, equal values are alike; 1, 1.0 and True, or 0.0 and -0.0, have other texts.
    is_text = kinds <= {str, _NONE}
    return _coded(values, None if is_text else _encode) or _listed(values)


def _kinds(values: Sequence[Any]) -> set[type]:
    first = type(values[0]) if values else _NONE
    if countOf(map(type, values), first) == len(values):
        return {first}
    return set(map(type, values))


def _numbers(values: list[Any], kind: type, *, gaps: bool) -> Packed | None:
    code = _FORMATS[kind]
    filler = float("nan") if kind is float else 0
    numbers: list[Any] = [filler if v is None else v for v in values] if gaps else values
    try:
        data: bytes | array[Any] = bytes(numbers) if kind is bool else array(code, numbers)
    except OverflowError:
        return None
    if not gaps:
        return Packed(code, [data])
    return Packed(f"{code}-", [data, bytes(v is None for v in values)])


class _Numbering(dict[Any, int]):
    """Numbers keys as they are met."""

    def __missing__(self, key: Any) -> int:
        self[key] = number = len(self)
        return number


def _coded(values: list[Any], key: Callable[[Any], Any] | None) -> Packed | None:
    sample = values[:_SAMPLE]
    if len(set(map(key, sample) if key else sample)) * _FEW > len(sample):
        return None
    numbers = _Numbering()
    try:
        codes = array("H", map(numbers.__getitem__, map(key, values) if key else values))
    except OverflowError:
        return None
    table = b"[" + b",".join(numbers) + b"]" if key else _encode(list(numbers))
    return Packed("c", [codes, table])


def _listed(values: list[Any]) -> Packed:
    return Packed("j", [_encode(values)])


def packed_ids(ids: list[str]) -> Packed:
    """Pack the ids of runs."""
    digits = "".join(ids)
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        return packed(ids)
    whole = data.hex() == digits and set(map(len, ids)) == {32}
    return Packed("i", [data]) if whole else packed(ids)


def packed_tags(tags: list[tuple[str, ...]]) -> Packed:
    """Pack the tags of runs."""
    coded = _coded(tags, _encode)
    return Packed("tc", coded.buffers) if coded else Packed("t", [_encode(tags)])


class _Seconds(dict[str, int]):
    """The microseconds until a second began, by its text."""

    def __missing__(self, text: str) -> int:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        self[text] = number = int(moment.timestamp()) * 1_000_000
        return number


def packed_moments(texts: list[str | None]) -> Packed:
    """Pack moments as records have them."""
    there = [text for text in texts if text is not None]
    if not (there and _are_moments(there)):
        return packed(texts)
    seconds = _Seconds()
    moments = [seconds[text[:_SECOND]] + int(text[20:26]) for text in there]
    if len(there) < len(texts):
        met = iter(moments)
        moments = [NOT_A_TIME if text is None else next(met) for text in texts]
    return Packed("u", [array("q", moments)])


def _are_moments(texts: list[str]) -> bool:
    """Tell whether texts look like ``2026-01-31T12:00:00.000000Z``, all of them."""
    whole = "".join(texts)
    if set(map(len, texts)) > {_TEXT} or len(whole) != _TEXT * len(texts):
        return False
    marks = {place: mark for place, mark in enumerate(_FORM) if mark != "0"}
    digits = "".join(whole[place::_TEXT] for place in range(_TEXT) if place not in marks)
    right = all(whole[place::_TEXT].count(mark) == len(texts) for place, mark in marks.items())
    return right and digits.isascii() and digits.isdecimal()


def unpacked(kind: str, buffers: Sequence[memoryview]) -> Part:
    """Return what was packed; raises ValueError for a kind that another version writes."""
    if kind not in _UNPACKED:
        raise ValueError(f"columns of kind {kind!r} are not known")
    return _UNPACKED[kind](buffers)


def _revived(text: memoryview) -> list[Any]:
    values: list[Any] = _decode(text)
    return [from_jsonable(v) if type(v) in {dict, list} else v for v in values]


def _unpacked_numbers(kind: str) -> Callable[[Sequence[memoryview]], Part]:
    def unpack(buffers: Sequence[memoryview]) -> Part:
        data: Any
        data, *gaps = buffers
        return Numbers(data.cast(kind), gaps[0].cast("?") if gaps else None)

    return unpack


_UNPACKED: Mapping[str, Callable[[Sequence[memoryview]], Part]] = {
    **{kind: _unpacked_numbers(kind[0]) for code in "dq?" for kind in (code, f"{code}-")},
    "c": lambda buffers: Coded(buffers[0].cast("H"), _revived(buffers[1])),
    "i": lambda buffers: Ids(buffers[0]),
    "j": lambda buffers: Listed(_revived(buffers[0])),
    "t": lambda buffers: Listed(list(map(tuple, _decode(buffers[0])))),
    "tc": lambda buffers: Coded(buffers[0].cast("H"), list(map(tuple, _decode(buffers[1])))),
    "u": lambda buffers: Moments(buffers[0].cast("q")),
}
