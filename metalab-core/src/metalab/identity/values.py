"""Values: any value a run can be identified by, as strict JSON and back, exactly.

What JSON has is written as itself. All else is an object with one key, a tag that starts
with ``$``, as ``{"$tuple": [1, 2]}``; a dict whose own keys would look like a tag is
written as ``$dict``.
"""

from __future__ import annotations

from binascii import b2a_base64
from enum import Enum, Flag
from math import copysign
from typing import TYPE_CHECKING, Any

from metalab.errors import IdentityError
from metalab.identity.arrays import dump_array, dump_scalar, is_array, is_scalar
from metalab.identity.canonical import canonical_bytes
from metalab.identity.libraries import library_form
from metalab.identity.names import reference
from metalab.identity.objects import is_namedtuple, namedtuple_items, state_of
from metalab.identity.refusal import RefusalError, placed, refusal_of
from metalab.identity.revival import from_jsonable
from metalab.identity.standard import form_of
from metalab.identity.symbols import Symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Symbol", "from_jsonable", "to_jsonable"]

_MIN_INT, _MAX_INT = -(2**63), 2**63
# From here on the JSON text of a float has no point, so that other readers take an integer.
_MAX_FLOAT = 1e16
_MAX_KEYS = 4096
_plain_keys: set[str] = set()
# Decimal digits beyond a limit cannot be read back; hexadecimal ones can.
_MAX_DECIMAL_BITS = 2000


def to_jsonable(value: object, path: str = "value", *, exact: bool = False) -> Any:
    """Return a value as strict JSON that ``from_jsonable`` reads back as an equal one.

    A flat dict that JSON has is returned as it is, not copied. Numpy scalars become the plain
    values they equal, unless ``exact`` keeps their types. Raises IdentityError that names the
    place in the value, starting with ``path``.
    """
    if type(value) is dict and _is_plain_dict(value):
        return value
    with placed(path):
        return _write(value, exact)


def _is_plain_dict(value: dict[Any, Any]) -> bool:
    for key, item in value.items():
        if type(key) is not str or not (key in _plain_keys or _is_plain_key(key)):
            return False
        kind = type(item)
        if not (
            (kind is float and -_MAX_FLOAT < item < _MAX_FLOAT and (item or copysign(1, item) > 0))
            or (kind is int and _MIN_INT <= item < _MAX_INT)
            or (kind is str and (item.isascii() or _is_unicode(item)))
            or kind is bool
            or item is None
        ):
            return False
    return True


def _is_plain_key(key: str) -> bool:
    if key[:1] == "$" or not _is_unicode(key):
        return False
    if len(_plain_keys) < _MAX_KEYS:  # sweeps repeat their keys
        _plain_keys.add(key)
    return True


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which no JSON file can hold
        return False
    return True


def _write(value: Any, exact: bool) -> Any:
    writer = _WRITERS.get(type(value))
    return _write_other(value, exact) if writer is None else writer(value, exact)


def _write_float(value: float, _exact: bool) -> Any:
    if -_MAX_FLOAT < value < _MAX_FLOAT and (value or copysign(1, value) > 0):
        return value
    return {"$float": repr(value)}


def _write_int(value: int, _exact: bool) -> Any:
    if _MIN_INT <= value < _MAX_INT:
        return value
    return {"$int": str(value) if value.bit_length() <= _MAX_DECIMAL_BITS else hex(value)}


def _write_text(value: str, _exact: bool) -> Any:
    if _is_unicode(value):
        return value
    return {"$str": value.encode("unicode_escape").decode("ascii")}


def _write_bytes(value: bytes, _exact: bool) -> Any:
    return {"$bytes": b2a_base64(value, newline=False).decode("ascii")}


def _write_items(value: Any, exact: bool) -> list[Any]:
    items: list[Any] = []
    try:
        for item in value:
            items.append(_write(item, exact))  # noqa: PERF401 - its length is the place of a refusal
    except RefusalError as refusal:
        refusal.steps.append(f"[{len(items)}]")
        raise
    return items


def _write_members(value: Any, exact: bool) -> list[Any]:
    # A set's own order depends on the process.
    return _write_items(sorted(value, key=canonical_bytes), exact)


def _write_dict(value: dict[Any, Any], exact: bool) -> Any:
    items = _write_named(value.items(), "[{!r}]", exact)
    if all(type(key) is str and _is_plain_key(key) for key in value):
        return dict(zip(value, items, strict=True))
    keys = [_write(key, exact) for key in value]
    return {"$dict": [list(pair) for pair in zip(keys, items, strict=True)]}


def _write_named(pairs: Iterable[tuple[Any, Any]], step: str, exact: bool) -> list[Any]:
    written = []
    name: Any = None
    try:
        for name, item in pairs:  # noqa: B007 - a refusal names its key
            written.append(_write(item, exact))
    except RefusalError as refusal:
        refusal.steps.append(step.format(name))
        raise
    return written


def _write_other(value: Any, exact: bool) -> Any:
    try:
        for writer in _OTHERS:
            written = writer(value, exact)
            if written is not None:
                return written
    except IdentityError as error:
        raise RefusalError(str(error)) from error
    raise RefusalError(refusal_of(value))


def _write_standard(value: Any, exact: bool) -> Any:
    form = form_of(type(value))
    return None if form is None else {f"${form.tag}": _write(form.dump(value), exact)}


def _write_array(value: Any, _exact: bool) -> Any:
    return {"$ndarray": dump_array(value)} if is_array(type(value)) else None


def _write_scalar(value: Any, exact: bool) -> Any:
    if not is_scalar(type(value)):
        return None
    if exact:
        return {"$scalar": dump_scalar(value)}
    # Dates, records and extended floats equal no plain value; their plugin knows them.
    plain = value.item() if value.dtype.kind in _PLAIN_KINDS else value
    return _write(plain, exact) if type(plain) in _PLAIN_SCALARS else None


def _write_library(value: Any, exact: bool) -> Any:
    found = library_form(value)
    if found is None:
        return None
    library, form = found
    payload = _write(form.payload, exact)
    return payload if form.tag is None else {"$plugin": [library, form.tag, payload]}


def _write_enum(value: Any, _exact: bool) -> Any:
    if not isinstance(value, Enum):
        return None
    member = value.value if isinstance(value, Flag) else value.name
    return {"$enum": [reference(type(value)), member]}


def _write_namedtuple(value: Any, exact: bool) -> Any:
    cls = type(value)
    if not is_namedtuple(cls):
        return None
    return {"$namedtuple": [reference(cls), _write_items(namedtuple_items(value), exact)]}


def _write_symbol(value: Any, exact: bool) -> Any:
    return {f"${value.tag}": _write(value.to_payload(), exact)} if type(value) is Symbol else None


def _write_reference(value: Any, _exact: bool) -> Any:
    if not isinstance(value, type) and not hasattr(value, "__qualname__"):
        return None
    return {"$ref": reference(value)}


def _write_object(value: Any, exact: bool) -> Any:
    state = state_of(value)
    if state is None:
        return None
    fields = dict(zip(state, _write_named(state.items(), ".{}", exact), strict=True))
    return {"$object": [reference(type(value)), fields]}


def _write_payload(value: Any, exact: bool) -> Any:
    cls = type(value)
    if not callable(getattr(cls, "fingerprint_payload", None)):
        return None
    return {"$payload": [reference(cls), _write(value.fingerprint_payload(), exact)]}


_PLAIN_KINDS = frozenset("biufcSU")
_PLAIN_SCALARS = frozenset({bool, int, float, complex, str, bytes})
_WRITERS: dict[type, Callable[[Any, bool], Any]] = {
    bool: lambda value, _: value,
    bytes: _write_bytes,
    dict: _write_dict,
    float: _write_float,
    frozenset: lambda value, exact: {"$frozenset": _write_members(value, exact)},
    int: _write_int,
    list: _write_items,
    set: lambda value, exact: {"$set": _write_members(value, exact)},
    str: _write_text,
    tuple: lambda value, exact: {"$tuple": _write_items(value, exact)},
    type(None): lambda value, _: value,
}
_OTHERS: tuple[Callable[[Any, bool], Any], ...] = (
    _write_standard,
    _write_array,
    _write_scalar,
    _write_library,
    _write_enum,
    _write_namedtuple,
    _write_symbol,
    _write_reference,
    _write_object,
    _write_payload,
)
