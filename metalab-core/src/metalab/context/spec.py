"""Specs: frozen classes for contexts, made by a decorator."""

from __future__ import annotations

import dataclasses
from typing import (
    TYPE_CHECKING,
    Any,
    Protocol,
    TypeVar,
    dataclass_transform,
    overload,
    runtime_checkable,
)

import attrs

from metalab.context.frozen import MARK, freeze
from metalab.identity.objects import is_stateful_class

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ContextSpec", "context_spec"]

_T = TypeVar("_T")


@runtime_checkable
class ContextSpec(Protocol):
    """What ``context_spec`` makes: an object that knows what identifies it."""

    @property
    def fingerprint(self) -> str:
        """What identifies the context in the ids of runs, 32 hex digits; files are hashed now."""
        ...


@overload
def context_spec(cls: type[_T], /) -> type[_T]: ...
@overload
def context_spec(*, kw_only: bool = False) -> Callable[[type[_T]], type[_T]]: ...
@dataclass_transform(
    frozen_default=True, field_specifiers=(attrs.field, attrs.Factory, dataclasses.field)
)
def context_spec(
    cls: type[_T] | None = None, /, *, kw_only: bool = False
) -> type[_T] | Callable[[type[_T]], type[_T]]:
    """Make a class a frozen context: its annotated names are fields of a typed constructor.

    The class is known by its module and name, wherever it is defined. With ``kw_only`` the
    constructor takes keywords alone. Raises TypeError for what is no plain class, ValueError
    for a field called ``fingerprint`` and for a default that could be changed in place.
    """
    if cls is None:
        return lambda cls: _made(cls, kw_only=kw_only)
    return _made(cls, kw_only=kw_only)


def _made(cls: type[_T], *, kw_only: bool) -> type[_T]:
    if not isinstance(cls, type):
        raise TypeError(f"context_spec decorates a class, not {cls!r}")
    if is_stateful_class(cls):
        raise TypeError(
            f"{cls.__name__} is a dataclass or attrs class already: it serves as a context as "
            "it is; or write context_spec in place of the other decorator"
        )
    fields = {name for name, kind in _annotations(cls).items() if "ClassVar" not in str(kind)}
    if "fingerprint" in fields or "fingerprint" in vars(cls):
        raise ValueError(f"{cls.__name__}.fingerprint: context_spec makes that; use another name")
    for name in fields & vars(cls).keys():
        setattr(cls, name, _default(cls, name))
    setattr(cls, MARK, True)
    cls.fingerprint = property(_fingerprint)  # type: ignore[attr-defined]  # see ContextSpec
    return attrs.frozen(cls, kw_only=kw_only)


def _annotations(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = vars(cls).get("__annotations__", {})
    return found


def _default(cls: type, name: str) -> Any:
    default = vars(cls)[name]
    if isinstance(default, dataclasses.Field):
        return _as_attrs_field(default)
    if isinstance(default, dict | list | set):
        raise ValueError(  # noqa: TRY004  as dataclasses do
            f"{cls.__name__}.{name}: every context would share this {type(default).__name__}; "
            f"write attrs.field(factory=lambda: {default!r})"
        )
    return default


def _as_attrs_field(field: dataclasses.Field[Any]) -> Any:
    kw_only = field.kw_only is True
    if field.default_factory is not dataclasses.MISSING:
        return attrs.field(factory=field.default_factory, kw_only=kw_only)
    if field.default is not dataclasses.MISSING:
        return attrs.field(default=field.default, kw_only=kw_only)
    return attrs.field(kw_only=kw_only)


def _fingerprint(spec: Any) -> str:
    """What identifies the context in the ids of runs, 32 hex digits; files are hashed now."""
    return freeze(spec).fingerprint
