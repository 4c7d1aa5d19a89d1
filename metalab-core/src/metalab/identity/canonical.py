"""Canonical bytes: one byte string for each value, and no two values for one byte string.

Every value is written as a tag that names its type, then its content, delimited so that
no reader could mistake where it ends. The bytes are those of every platform, process and
Python version.
"""

from __future__ import annotations

from enum import Enum, Flag
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Any

from metalab.errors import IdentityError
from metalab.identity.libraries import CanonicalForm, library_form
from metalab.identity.names import reference
from metalab.identity.objects import is_namedtuple, namedtuple_items, state_of
from metalab.identity.refusal import RefusalError, placed, refusal_of
from metalab.identity.standard import form_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "CanonicalForm",
    "canonical_bytes",
    "canonical_item",
    "canonical_mapping",
    "canonical_text",
    "fingerprint",
    "hash_bytes",
    "library_form",
]

_PACK = Struct(">d").pack
_NAN = b"f" + bytes.fromhex("7ff8000000000000")
_MAX_KEYS = 4096


def canonical_bytes(value: object, path: str = "value") -> bytes:
    """Return the bytes that stand for a value and for no other.

    Raises IdentityError that names the place in the value, starting with ``path``, and what
    to write instead.
    """
    try:
        return _encode(value)
    except (RefusalError, RecursionError):
        with placed(path):
            raise


def fingerprint(value: object, path: str = "value") -> str:
    """Return the hash of a value's canonical bytes, 32 hex digits; raises as they do."""
    return hash_bytes(canonical_bytes(value, path))


def hash_bytes(data: bytes) -> str:
    """Return the hash that fingerprints and run ids are made with, 32 hex digits."""
    return blake2b(data, digest_size=16).hexdigest()


def canonical_item(key: str, value: object, path: str = "value") -> bytes:
    """Return the bytes of one item of a dict for ``canonical_mapping``.

    ``path`` names the value in errors.
    """
    return _encode_key(key) + canonical_bytes(value, path)


def canonical_mapping(items: Iterable[bytes]) -> bytes:
    """Return the canonical bytes of the dict that has these items, given in any order."""
    ordered = sorted(items)
    return b"d%d:%b" % (len(ordered), b"".join(ordered))


def _encode(value: Any) -> bytes:
    return _ENCODERS.get(type(value), _encode_other)(value)


def _encode_float(value: float) -> bytes:
    # NaN alone differs from itself; its many bit patterns are one value here.
    return b"f" + _PACK(value) if value == value else _NAN  # noqa: PLR0124


def canonical_text(value: str) -> bytes:
    """Return the canonical bytes of a text."""
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
        data = _KEYS[key] = canonical_text(key)
    return data


def _encode_dict(value: dict[Any, Any]) -> bytes:
    items = []
    key: Any = None
    try:
        for key, item in value.items():
            data = _KEYS.get(key) if type(key) is str else None
            if data is None:
                data = _encode_key(key)
            items.append(data + _ENCODERS.get(type(item), _encode_other)(item))
    except RefusalError as refusal:
        refusal.steps.append(f"[{key!r}]")
        raise
    items.sort()
    return b"d%d:%b" % (len(items), b"".join(items))


def _encode_items(value: Iterable[Any]) -> list[bytes]:
    items: list[bytes] = []
    try:
        for item in value:
            items.append(_ENCODERS.get(type(item), _encode_other)(item))  # noqa: PERF401 - its length is the place of a refusal
    except RefusalError as refusal:
        refusal.steps.append(f"[{len(items)}]")
        raise
    return items


def _encode_list(value: list[Any]) -> bytes:
    return b"l%d:%b" % (len(value), b"".join(_encode_items(value)))


def _encode_tuple(value: tuple[Any, ...]) -> bytes:
    return b"t%d:%b" % (len(value), b"".join(_encode_items(value)))


def _encode_members(tag: bytes, value: Iterable[Any]) -> bytes:
    items = []
    item: Any = None
    try:
        for item in value:
            items.append(_encode(item))
    except RefusalError as refusal:
        refusal.steps.append(f"{{{item!r}}}")
        raise
    return b"%b%d:%b" % (tag, len(items), b"".join(sorted(items)))


def _encode_tagged(kind: bytes, name: str, payload: object) -> bytes:
    return kind + canonical_text(name) + _encode(payload)


def _encode_other(value: Any) -> bytes:
    try:
        for encoder in _OTHERS:
            data = encoder(value)
            if data is not None:
                return data
    except IdentityError as error:
        raise RefusalError(str(error)) from error
    raise RefusalError(refusal_of(value))


def _encode_standard(value: Any) -> bytes | None:
    form = form_of(type(value))
    return None if form is None else _encode_tagged(b"v", form.tag, form.dump(value))


def _encode_payload(value: Any) -> bytes | None:
    cls = type(value)
    if not callable(getattr(cls, "fingerprint_payload", None)):
        return None
    return _encode_tagged(b"p", reference(cls), value.fingerprint_payload())


def _encode_library(value: Any) -> bytes | None:
    found = library_form(value)
    if found is None:
        return None
    library, form = found
    if form.tag is None:
        return _encode(form.payload)
    return _encode_tagged(b"x", library, (form.tag, form.payload))


def _encode_enum(value: Any) -> bytes | None:
    if not isinstance(value, Enum):
        return None
    # Members are known by name; a combination of flags may have none.
    member = value.value if isinstance(value, Flag) else value.name
    return _encode_tagged(b"e", reference(type(value)), member)


def _encode_namedtuple(value: Any) -> bytes | None:
    cls = type(value)
    return (
        _encode_tagged(b"n", reference(cls), namedtuple_items(value))
        if is_namedtuple(cls)
        else None
    )


def _encode_reference(value: Any) -> bytes | None:
    if not isinstance(value, type) and not hasattr(value, "__qualname__"):
        return None
    return b"r" + canonical_text(reference(value))


def _encode_object(value: object) -> bytes | None:
    state = state_of(value)
    if state is None:
        return None
    items = []
    name = ""
    try:
        for name, item in state.items():
            items.append(_encode_key(name) + _encode(item))
    except RefusalError as refusal:
        refusal.steps.append(f".{name}")
        raise
    return b"o" + canonical_text(reference(type(value))) + canonical_mapping(items)


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
    str: canonical_text,
    tuple: _encode_tuple,
    type(None): lambda value: b"N",  # noqa: ARG005 - every encoder takes the value
}
_OTHERS: tuple[Callable[[Any], bytes | None], ...] = (
    _encode_standard,
    _encode_payload,
    _encode_library,
    _encode_enum,
    _encode_namedtuple,
    _encode_reference,
    _encode_object,
)
