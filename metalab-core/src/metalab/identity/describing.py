"""Describing: what a name in code is bound to, in words that are the same in every process."""

from __future__ import annotations

from enum import Enum, auto
from functools import partial
from inspect import getattr_static
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import attrs

from metalab.identity.canonical import canonical_bytes, fingerprint
from metalab.identity.names import canonical_module
from metalab.identity.refusal import PLAIN_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from metalab.identity.ownership import Ownership

__all__ = ["Describing", "Description", "Kind", "unwrapped"]

_CONTAINERS = (dict, frozenset, list, set, tuple)
_LEAVES = frozenset(PLAIN_TYPES) - frozenset(_CONTAINERS)


class Kind(Enum):
    """What sort of thing a description is of."""

    CODE = auto()  # own code, which is a part of its own
    FOREIGN = auto()  # Python's or a library's code
    VALUE = auto()
    OPAQUE = auto()  # an object that cannot be looked into


@attrs.frozen
class Description:
    """What a value is, as text."""

    kind: Kind
    text: str


def unwrapped(value: object) -> object | None:
    """Return what a decorated function or an operation wraps, or None."""
    if isinstance(value, type | ModuleType) or getattr_static(value, "__wrapped__", None) is None:
        return None
    inner: object = getattr(value, "__wrapped__", None)
    return None if inner is value else inner


class Describing:
    """Describes values; own code that it meets is handed to ``follow``, which names it.

    ``label`` is always the place at which a value was met, as ``module:name``.
    """

    def __init__(
        self, ownership: Ownership, follow: Callable[[FunctionType | type, str], str]
    ) -> None:
        self._ownership = ownership
        self._follow = follow
        self._open: set[int] = set()

    def describe(self, value: Any, label: str) -> Description:
        """Return what a value is."""
        if id(value) in self._open:
            return Description(Kind.VALUE, "itself")
        self._open.add(id(value))
        try:
            for describer in self._describers:
                found: Description | None = describer(self, value, label)
                if found is not None:
                    return found
            return self._instance(value, label)
        finally:
            self._open.discard(id(value))

    def type_name(self, cls: type) -> str:
        """Return a class's name; a library's without the submodule, which versions change."""
        if self._ownership.owns_class(cls):
            return f"{canonical_module(cls.__module__)}:{cls.__qualname__}"
        return f"{cls.__module__.partition('.')[0]}:{cls.__qualname__}"

    def _wrapper(self, value: Any, label: str) -> Description | None:
        if isinstance(value, FunctionType) and self._ownership.owns_function(value):
            return None
        inner = unwrapped(value)
        if inner is None:
            return None
        found = self.describe(inner, label)
        return Description(found.kind, f"wrapped {found.text}")

    def _function(self, value: Any, label: str) -> Description | None:
        if not isinstance(value, FunctionType):
            return None
        if self._ownership.owns_function(value):
            return Description(Kind.CODE, self._follow(value, label))
        return Description(Kind.FOREIGN, _foreign(value.__module__ or "", value.__qualname__))

    def _class(self, value: Any, label: str) -> Description | None:
        if not isinstance(value, type):
            return None
        if self._ownership.owns_class(value):
            return Description(Kind.CODE, self._follow(value, label))
        return Description(Kind.FOREIGN, self.type_name(value))

    def _module(self, value: Any, _label: str) -> Description | None:
        if not isinstance(value, ModuleType):
            return None
        if self._ownership.owns_module(value.__name__):
            return Description(Kind.OPAQUE, f"module {canonical_module(value.__name__)}")
        return Description(Kind.FOREIGN, f"module {value.__name__}")

    def _bundle(self, value: Any, label: str) -> Description | None:
        if isinstance(value, partial):
            parts: tuple[object, ...] = (value.func, value.args, value.keywords)
        elif isinstance(value, MethodType):
            parts = (value.__func__, value.__self__)
        else:
            return None
        return self._joined(type(value).__name__, [(part, label) for part in parts])

    def _plain(self, value: Any, label: str) -> Description | None:
        try:
            return self._callable(value) or self._value(value, label)
        except Exception:  # noqa: BLE001 - whatever a user's object does when it is looked at
            return None

    @staticmethod
    def _callable(value: Any) -> Description | None:
        name, module = getattr(value, "__qualname__", None), getattr(value, "__module__", None)
        if isinstance(name, str) and isinstance(module, str):
            return Description(Kind.FOREIGN, _foreign(module, name))
        return None

    def _container(self, value: Any, label: str) -> Description | None:
        cls = type(value)
        if cls not in _CONTAINERS or _is_flat(value):
            return None
        if cls is dict:
            pairs = [(item, f"{label}[{key!r}]") for key, item in value.items()]
            keys = self._joined("keys", [(key, label) for key in value])
            return self._joined(f"dict {keys.text}", pairs, kind=keys.kind)
        if cls in {list, tuple}:
            return self._joined(
                cls.__name__, [(item, f"{label}[{i}]") for i, item in enumerate(value)]
            )
        found = sorted((self.describe(item, label) for item in value), key=lambda d: d.text)
        return _join(cls.__name__, found)

    def _value(self, value: Any, label: str) -> Description:
        text = fingerprint(value)
        cls = type(value)
        if cls not in PLAIN_TYPES and self._ownership.owns_class(cls):
            text = f"{text} {self.describe(cls, label).text}"
        return Description(Kind.VALUE, text)

    def _instance(self, value: Any, label: str) -> Description:
        cls = type(value)
        text = self.type_name(cls)
        if self._ownership.owns_class(cls):
            text = self.describe(cls, label).text
        return Description(Kind.OPAQUE, f"an instance of {text}")

    def _joined(
        self, name: str, values: Iterable[tuple[Any, str]], kind: Kind = Kind.VALUE
    ) -> Description:
        return _join(name, [self.describe(value, label) for value, label in values], kind)

    _describers = (_wrapper, _function, _class, _module, _bundle, _container, _plain)


def _join(name: str, parts: list[Description], kind: Kind = Kind.VALUE) -> Description:
    opaque = kind is Kind.OPAQUE or any(part.kind is Kind.OPAQUE for part in parts)
    text = canonical_bytes([name, *(part.text for part in parts)]).decode("utf-8", "surrogatepass")
    return Description(Kind.OPAQUE if opaque else Kind.VALUE, text)


def _is_flat(value: Any) -> bool:
    items = [*value, *value.values()] if type(value) is dict else value
    return all(type(item) in _LEAVES for item in items)


def _foreign(module: str, qualname: str) -> str:
    return f"{module.partition('.')[0]}:{qualname}"
