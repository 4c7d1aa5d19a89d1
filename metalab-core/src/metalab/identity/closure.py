"""Closure: the identity of the values a function captured when it was made."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, defaultdict, deque
from functools import partial
from logging import Logger
from random import Random
from types import (
    BuiltinFunctionType,
    FunctionType,
    GenericAlias,
    MappingProxyType,
    MethodType,
    ModuleType,
    SimpleNamespace,
    UnionType,
)
from typing import TYPE_CHECKING, Any

from metalab.errors import IdentityError
from metalab.identity.canonical import canonical_bytes, fingerprint
from metalab.identity.definitions import definition_digest, is_ambiguous, name_of
from metalab.identity.describing import unwrapped
from metalab.identity.names import canonical_module
from metalab.identity.objects import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["closure_fingerprint"]

# Libraries whose objects do work for a function, but are no part of what it computes.
_MACHINERY = frozenset(
    {
        "_asyncio",
        "_contextvars",
        "_io",
        "_multiprocessing",
        "_queue",
        "_socket",
        "_thread",
        "_weakref",
        "asyncio",
        "concurrent",
        "contextvars",
        "io",
        "logging",
        "multiprocessing",
        "queue",
        "socket",
        "tempfile",
        "threading",
        "weakref",
    }
)
_SELF_CELL = "__class__"


def closure_fingerprint(function: Callable[..., Any]) -> str:
    """Return a hash of what a function captured, or "" if it captured nothing.

    Captured are the variables of enclosing functions, default values, the arguments of a
    partial and the object of a bound method, by their values now; functions among them by
    name and what they captured themselves. Raises IdentityError that names the variable if
    its value cannot be told apart from others.
    """
    name = getattr(function, "__name__", type(function).__name__)
    found = _Capturing(name).captured(function)
    return fingerprint(found) if found else ""


class _Capturing:
    """Describes captured values as plain ones; ``operation`` is named in errors."""

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self._open: list[int] = []

    def captured(self, function: Any) -> list[object]:
        """Return pairs of name and value for what a function, or what it wraps, captured."""
        pairs: list[tuple[str, object]]
        if isinstance(function, FunctionType):
            pairs = _variables(function)
        elif isinstance(function, partial | MethodType):
            pairs = [(_type_name(function), function)]
        elif (inner := unwrapped(function)) is not None:
            return self.captured(inner)
        elif isinstance(function, type | BuiltinFunctionType):
            return []
        else:
            pairs = [("self", function)]
        return [[name, self.describe(value, name)] for name, value in pairs]

    def describe(self, value: Any, path: str) -> object:
        """Return a plain value that stands for a captured one."""
        if id(value) in self._open:  # a function that captured itself, a list that holds itself
            return ["itself", self._open.index(id(value))]
        self._open.append(id(value))
        try:
            for describer in self._describers:
                found: object = describer(self, value, path)
                if found is not None:
                    return found
        finally:
            self._open.pop()
        raise self._refusal(value, path)

    def _code(self, value: Any, _path: str) -> object | None:
        if isinstance(value, FunctionType):
            own = definition_digest(value) if is_ambiguous(value) else ""
            return ["function", name_of(value), own, self.captured(value)]
        if isinstance(value, type):
            return ["class", f"{canonical_module(value.__module__)}:{value.__qualname__}"]
        if isinstance(value, ModuleType):
            return ["module", canonical_module(value.__name__)]
        return ["type", repr(value)] if isinstance(value, GenericAlias | UnionType) else None

    def _bundle(self, value: Any, path: str) -> object | None:
        if isinstance(value, partial):
            parts = [value.func, value.args, value.keywords]
        elif isinstance(value, MethodType):
            parts = [value.__func__, value.__self__]
        elif isinstance(value, BuiltinFunctionType) and not isinstance(
            value.__self__, ModuleType | None
        ):
            return ["method", value.__name__, self.describe(value.__self__, path)]
        else:
            return None
        return [type(value).__name__, *(self.describe(part, path) for part in parts)]

    def _plain(self, value: Any, _path: str) -> object | None:
        try:
            return ["value", canonical_bytes(value)]
        except IdentityError:
            return None

    def _wrapper(self, value: Any, path: str) -> object | None:
        inner = unwrapped(value)
        return None if inner is None else ["wrapped", self.describe(inner, path)]

    def _container(self, value: Any, path: str) -> object | None:
        cls = type(value)
        if cls in {list, tuple, deque}:
            return [cls.__name__, *self._items(value, path)]
        if cls in {set, frozenset}:
            return [cls.__name__, *sorted(self._items(value, path), key=canonical_bytes)]
        if cls in {dict, OrderedDict, defaultdict, Counter, MappingProxyType}:
            pairs = [
                [self.describe(key, path), self.describe(item, f"{path}[{key!r}]")]
                for key, item in value.items()
            ]
            factory = self.describe(getattr(value, "default_factory", None), path)
            ordered = pairs if cls is OrderedDict else sorted(pairs, key=canonical_bytes)
            return [cls.__name__, factory, ordered]
        return None

    def _object(self, value: Any, path: str) -> object | None:
        if isinstance(value, BaseException) and type(value).__module__ == "builtins":
            return ["error", type(value).__name__, self.describe(value.args, path)]
        try:
            state = vars(value) if type(value) is SimpleNamespace else state_of(value)
        except IdentityError:
            return None
        if state is None:
            return None
        fields = {name: self.describe(item, f"{path}.{name}") for name, item in state.items()}
        return ["object", _type_name(value), fields]

    def _library(self, value: Any, _path: str) -> object | None:
        found = _known_state(value)
        if found is not None:
            return [_type_name(value), found]
        library = type(value).__module__.partition(".")[0]
        return ["opaque", _type_name(value)] if library in _MACHINERY else None

    def _items(self, values: Iterable[Any], path: str) -> list[object]:
        return [self.describe(item, f"{path}[{i}]") for i, item in enumerate(values)]

    def _refusal(self, value: object, path: str) -> IdentityError:
        return IdentityError(
            f"operation {self._operation!r} captures {path!r} of type {_type_name(value)}, whose "
            "value cannot be told apart from others; pass it by params or context, or give its "
            "class fingerprint_payload()"
        )

    _describers = (_code, _bundle, _wrapper, _plain, _container, _object, _library)


class _Empty:
    """Stands in a variable that is not assigned yet."""


def _variables(function: FunctionType) -> list[tuple[str, object]]:
    code = function.__code__
    pairs = [
        (name, _content(cell))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
        if name != _SELF_CELL
    ]
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    pairs += zip(positional[len(positional) - len(defaults) :], defaults, strict=True)
    return pairs + sorted((function.__kwdefaults__ or {}).items())


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return _Empty


def _known_state(value: Any) -> object | None:
    cls = type(value)
    if isinstance(value, Logger):
        return str(value.name)
    if isinstance(value, re.Pattern):
        return [value.pattern, value.flags]
    if cls is Random:
        return list(value.getstate())
    if cls in {range, slice}:
        return repr(value)
    if cls is bytearray:
        return bytes(value)
    return "" if cls is object else None


def _type_name(value: object) -> str:
    cls = type(value)
    return f"{canonical_module(cls.__module__)}:{cls.__qualname__}"
