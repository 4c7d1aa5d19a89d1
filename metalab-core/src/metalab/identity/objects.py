"""Objects: the state of instances whose class says what their state is."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import attrs

from metalab.errors import IdentityError

__all__ = ["is_namedtuple", "is_stateful_class", "namedtuple_items", "rebuild", "state_of"]

# attrs keeps a computed hash beside the fields.
_ATTRS_CACHED_HASH = "_attrs_cached_hash"


def is_stateful_class(cls: type) -> bool:
    """Tell whether a class is itself an attrs class or a dataclass."""
    return "__attrs_attrs__" in vars(cls) or "__dataclass_fields__" in vars(cls)


def state_of(value: object) -> dict[str, object] | None:
    """Return the attributes that make up an attrs or dataclass instance, or None for others.

    Attributes set beside the fields belong to the state; cached properties do not. Raises
    IdentityError for an instance of a subclass that is not decorated itself, since it may
    hold more than its fields say.
    """
    cls = type(value)
    if not (attrs.has(cls) or dataclasses.is_dataclass(cls)):
        return None
    if not is_stateful_class(cls):
        raise IdentityError(
            f"the class {cls.__qualname__} extends a class with fields but has none declared; "
            "decorate it too"
        )
    names = _field_names(cls)
    missing = [name for name in names if not hasattr(value, name)]
    if missing:
        raise IdentityError(f"the field {missing[0]!r} of {cls.__qualname__} is unset")
    state = {name: getattr(value, name) for name in names}
    for name, extra in getattr(value, "__dict__", {}).items():
        if name not in state and name != _ATTRS_CACHED_HASH and not _is_cache(cls, name):
            state[name] = extra
    return state


def rebuild(cls: type, state: dict[str, Any]) -> object:
    """Make an instance of an attrs class or dataclass with this state; none of its code runs."""
    value: object = object.__new__(cls)
    for name, item in state.items():
        object.__setattr__(value, name, item)
    if _ATTRS_CACHED_HASH in _names_of_hash(cls):
        object.__setattr__(value, _ATTRS_CACHED_HASH, None)
    return value


def is_namedtuple(cls: type) -> bool:
    """Tell whether a class is a tuple with named fields."""
    return issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


def namedtuple_items(value: Any) -> tuple[Any, ...]:
    """Return the items of a named tuple; raises IdentityError if it has attributes beside them."""
    if getattr(value, "__dict__", None):
        raise IdentityError(
            f"a {type(value).__qualname__} with attributes beside its fields: {vars(value)!r}"
        )
    return tuple(value)


def _field_names(cls: type) -> list[str]:
    if "__attrs_attrs__" in vars(cls):
        return [field.name for field in attrs.fields(cls)]
    return [field.name for field in dataclasses.fields(cls)]


def _is_cache(cls: type, name: str) -> bool:
    return isinstance(getattr(cls, name, None), functools.cached_property)


def _names_of_hash(cls: type) -> tuple[str, ...]:
    code = getattr(cls.__hash__, "__code__", None)
    return code.co_names if code is not None else ()
