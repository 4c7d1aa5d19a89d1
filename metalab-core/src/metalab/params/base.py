"""What a param source is: an indexable, repeatable sequence of parameter cases."""

from __future__ import annotations

from copy import deepcopy
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs

from metalab.identity.canonical import (
    canonical_item,
    canonical_mapping,
    fingerprint,
    hash_bytes,
)
from metalab.identity.objects import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ParamCase", "ParamResolver", "ParamSource"]

# What cannot be changed in place needs no copy.
_ATOMS = frozenset(
    {bool, bytes, complex, float, FunctionType, int, range, str, type, type(None), type(Ellipsis)}
)


def is_atom(value: Any) -> bool:
    """Tell whether a value cannot be changed in place."""
    return type(value) in _ATOMS


def may_change(value: Any) -> bool:
    """Tell whether what identifies a value may change while the value stays, as a file's does."""
    if type(value) in _ATOMS:
        return False
    if callable(getattr(type(value), "fingerprint_payload", None)):
        return True
    if isinstance(value, dict):
        return any(may_change(item) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(may_change, value))
    return any(map(may_change, (state_of(value) or {}).values()))


def own(value: Any) -> Any:
    """Return a value that no other holder can change: a copy, unless nothing can change it."""
    if type(value) in _ATOMS:
        return value
    try:
        return deepcopy(value)
    except Exception:  # noqa: BLE001  any class may refuse to be copied, with any error
        return value  # what cannot be copied has no identity either, and is refused by name


def canonical_param(name: str, value: object) -> bytes:
    """Return the canonical bytes of a param; errors name it, a file that is missing included."""
    path = f"params[{name!r}]"
    try:
        return canonical_item(name, value, path)
    except OSError as error:
        raise type(error)(f"{path}: {error}") from error


def _fingerprint(params: dict[str, Any]) -> str:
    try:
        return fingerprint(params, "params")
    except OSError:  # once more, one by one, to tell whose file it is
        items = (canonical_param(name, value) for name, value in params.items())
        return hash_bytes(canonical_mapping(items))


@attrs.frozen(repr=False)
class ParamCase:
    """One point of a sweep: its params, the fingerprint of them, and its tags."""

    _params: Mapping[str, Any] = attrs.field(eq=False)
    case_id: str
    tags: tuple[str, ...] = ()
    _are_atoms: bool = attrs.field(default=False, eq=False)

    @classmethod
    def of(cls, params: Mapping[str, Any], tags: tuple[str, ...] = ()) -> ParamCase:
        """Make the case of some params; IdentityError names the param that has no identity."""
        return cls(params, _fingerprint(dict(params)), tags)

    @property
    def params(self) -> dict[str, Any]:
        """The params by name, in a dict of the caller's own, down to the values in it."""
        if self._are_atoms:
            return dict(self._params)
        return {name: own(value) for name, value in self._params.items()}

    def __repr__(self) -> str:
        return f"ParamCase({dict(self._params)!r}, case_id={self.case_id!r}, tags={self.tags!r})"


@runtime_checkable
class ParamSource(Protocol):
    """A sequence of parameter cases that is the same every time it is read.

    ``source[i]`` is expected to be cheap at any ``i`` (negative too; IndexError beyond the
    end), so that a worker can rebuild any run from its index. ``metalab.params.Source`` is a
    base class that adds slices, ``+``, ``*`` and ``filter``.
    """

    def __len__(self) -> int:
        """Count the points as written; duplicates are dropped by the plan."""
        ...

    def __getitem__(self, index: int) -> ParamCase:
        """Return one case."""
        ...

    def __iter__(self) -> Iterator[ParamCase]:
        """Yield the cases in order."""
        ...

    def to_manifest_dict(self) -> dict[str, Any]:
        """Describe the source as strict JSON, for its plugin to rebuild it.

        ``kind`` is the plugin's entry-point name; without it ``type`` is taken.
        """
        ...


@runtime_checkable
class ParamResolver(Protocol):
    """Adds or replaces params that depend on the context or on other params."""

    def resolve(self, context_meta: Any, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return all the params that the operation receives."""
        ...
