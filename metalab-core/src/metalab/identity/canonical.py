"""Canonical bytes: one byte string for each value, and no two values for one byte string.

Every value is written as a tag that names its type, then its content, delimited so that
no reader could mistake where it ends. The bytes are those of every platform, process and
Python version.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from enum import Enum, Flag
from hashlib import blake2b
from struct import Struct
from typing import Any

import attrs

from metalab.errors import IdentityError
from metalab.identity.names import reference
from metalab.identity.objects import is_namedtuple, state_of
from metalab.identity.standard import form_of
from metalab.plugins import SERIALIZERS

__all__ = [
    "CanonicalForm",
    "canonical_bytes",
    "canonical_item",
    "canonical_mapping",
    "fingerprint",
    "hash_bytes",
    "library_form",
]

_PACK = Struct(">d").pack
_NAN = b"f" + bytes.fromhex("7ff8000000000000")
_MAX_KEYS = 4096


@attrs.frozen
class CanonicalForm:
    """What identifies an object of a library: ``payload`` is made of plain values.

    With ``tag`` None the object is identified with the plain value itself; else it is the
    payload under that tag, told apart from every other library's.
    """

    tag: str | None
    payload: object


def canonical_bytes(value: object, path: str = "value") -> bytes:
    """Return the bytes that stand for a value and for no other.

    Raises IdentityError that names the place in the value, starting with ``path``, and what
    to write instead.
    """
    try:
        return _encode(value)
    except _RefusalError as refusal:
        raise IdentityError(f"{path}{refusal.place}: {refusal}") from refusal.__cause__
    except RecursionError:
        raise IdentityError(f"{path}: contains itself, or is nested too deeply") from None


def fingerprint(value: object, path: str = "value") -> str:
    """Return the hash of a value's canonical bytes, 32 hex digits; raises as they do."""
    return hash_bytes(canonical_bytes(value, path))


def hash_bytes(data: bytes) -> str:
    """Return the hash that fingerprints and run ids are made with, 32 hex digits."""
    return blake2b(data, digest_size=16).hexdigest()


def canonical_item(key: str, value: object, path: str = "value") -> bytes:
    """Return the bytes of one item of a dict, for ``canonical_mapping``; ``path`` names the value."""
    return _encode_key(key) + canonical_bytes(value, path)


def canonical_mapping(items: Iterable[bytes]) -> bytes:
    """Return the canonical bytes of the dict that has these items, given in any order."""
    ordered = sorted(items)
    return b"d%d:%b" % (len(ordered), b"".join(ordered))


def library_form(value: object) -> tuple[str, CanonicalForm] | None:
    """Return the library that knows an object and the form its plugin gives it, or None."""
    for cls in type(value).__mro__:
        library = cls.__module__.partition(".")[0]
        if library not in sys.stdlib_module_names and library in SERIALIZERS:
            form = SERIALIZERS[library].metalab_canonical_form(obj=value)
            if form is not None:
                return library, form
    return None


class _RefusalError(Exception):
    """A value that cannot be encoded; containers add, from the inside out, where it stands."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.steps: list[str] = []

    @property
    def place(self) -> str:
        return "".join(reversed(self.steps))


def _encode(value: Any) -> bytes:
    return _ENCODERS.get(type(value), _encode_other)(value)


def _encode_float(value: float) -> bytes:
    return b"f" + _PACK(value) if value == value else _NAN  # noqa: PLR0124 - NaN alone differs from itself


def _encode_text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(data), data)


def _encode_key(key: Any) -> bytes:
    # Sweeps repeat their keys; only str itself may look here, since 'a' equals a StrEnum's 'a'.
    if type(key) is not str:
        return _encode(key)
    data = _KEYS.get(key)
    if data is None:
        if len(_KEYS) >= _MAX_KEYS:
            _KEYS.clear()
        data = _KEYS[key] = _encode_text(key)
    return data


def _encode_dict(value: dict[Any, Any]) -> bytes:
    items = []
    key: Any = None
    try:
        for key, item in value.items():  # noqa: B007 - the handler names the key it stopped at
            data = _KEYS.get(key) if type(key) is str else None
            if data is None:
                data = _encode_key(key)
            items.append(data + _ENCODERS.get(type(item), _encode_other)(item))
    except _RefusalError as refusal:
        refusal.steps.append(f"[{key!r}]")
        raise
    items.sort()
    return b"d%d:%b" % (len(items), b"".join(items))


def _encode_items(value: Iterable[Any]) -> list[bytes]:
    items: list[bytes] = []
    try:
        items.extend(_encode(item) for item in value)
    except _RefusalError as refusal:
        refusal.steps.append(f"[{len(items)}]")
        raise
    return items


def _encode_list(value: list[Any]) -> bytes:
    return b"l%d:%b" % (len(value), b"".join(_encode_items(value)))


def _encode_tuple(value: tuple[Any, ...]) -> bytes:
    return b"t%d:%b" % (len(value), b"".join(_encode_items(value)))


def _encode_members(tag: bytes, value: Iterable[Any]) -> bytes:
    items = []
    for item in value:
        try:
            items.append(_encode(item))
        except _RefusalError as refusal:
            refusal.steps.append(f"{{{item!r}}}")
            raise
    return b"%b%d:%b" % (tag, len(items), b"".join(sorted(items)))


def _encode_tagged(kind: bytes, name: str, payload: object) -> bytes:
    return kind + _encode_text(name) + _encode(payload)


def _encode_other(value: Any) -> bytes:
    try:
        data = _encode_special(value)
    except IdentityError as error:
        raise _RefusalError(str(error)) from error
    if data is None:
        raise _RefusalError(_refusal_of(value))
    return data


def _encode_special(value: Any) -> bytes | None:
    cls = type(value)
    if form := form_of(cls):
        return _encode_tagged(b"v", form.tag, form.dump(value))
    if callable(getattr(cls, "fingerprint_payload", None)):
        return _encode_tagged(b"p", reference(cls), value.fingerprint_payload())
    if found := library_form(value):
        library, known = found
        if known.tag is None:
            return _encode(known.payload)
        return _encode_tagged(b"x", library, (known.tag, known.payload))
    if isinstance(value, Enum):
        member = value.value if isinstance(value, Flag) else value.name
        return _encode_tagged(b"e", reference(cls), member)
    if is_namedtuple(cls):
        return _encode_namedtuple(value)
    if isinstance(value, type) or hasattr(value, "__qualname__"):
        return b"r" + _encode_text(reference(value))
    return _encode_object(value)


def _encode_namedtuple(value: Any) -> bytes:
    if getattr(value, "__dict__", None):
        raise IdentityError(f"the named tuple has attributes beside its fields: {vars(value)!r}")
    return _encode_tagged(b"n", reference(type(value)), tuple(value))


def _encode_object(value: object) -> bytes | None:
    state = state_of(value)
    if state is None:
        return None
    return b"o" + _encode_text(reference(type(value))) + _encode_fields(state)


def _encode_fields(state: dict[str, object]) -> bytes:
    items = []
    for name, item in state.items():
        try:
            items.append(_encode_key(name) + _encode(item))
        except _RefusalError as refusal:
            refusal.steps.append(f".{name}")
            raise
    return canonical_mapping(items)


def _refusal_of(value: object) -> str:
    cls = type(value)
    for base in cls.__mro__[1:]:
        if base in _ENCODERS:
            return (
                f"{cls.__qualname__} is a subclass of {base.__name__}, whose further behaviour "
                f"an id cannot hold; write {base.__name__}(...)"
            )
    libraries = {base.__module__.partition(".")[0] for base in cls.__mro__}
    if "numpy" in libraries and "numpy" not in SERIALIZERS:
        return f"a {cls.__module__}.{cls.__qualname__}: {SERIALIZERS.missing('numpy')}"
    return (
        f"a {cls.__module__}.{cls.__qualname__} cannot be told apart from others for certain; "
        "write plain values, make it an attrs class or dataclass, "
        "or give its class fingerprint_payload()"
    )


_KEYS: dict[str, bytes] = {}
_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    bool: lambda value: b"T" if value else b"F",
    bytes: lambda value: b"b%d:%b" % (len(value), value),
    dict: _encode_dict,
    float: _encode_float,
    frozenset: lambda value: _encode_members(b"z", value),
    int: lambda value: b"i%x;" % value,
    list: _encode_list,
    set: lambda value: _encode_members(b"m", value),
    str: _encode_text,
    tuple: _encode_tuple,
    type(None): lambda value: b"N",  # noqa: ARG005 - every encoder takes the value
}
