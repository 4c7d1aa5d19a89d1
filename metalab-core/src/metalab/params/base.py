"""What a param source is: an indexable, repeatable sequence of parameter cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import attrs

__all__ = ["ParamCase", "ParamResolver", "ParamSource"]


@attrs.frozen
class ParamCase:
    """One point of a sweep: its params, the fingerprint of them, and its tags."""

    params: Mapping[str, Any]
    case_id: str
    tags: tuple[str, ...] = ()


@runtime_checkable
class ParamSource(Protocol):
    """A sequence of parameter cases that is the same every time it is read.

    ``source[i]`` is expected to be cheap at any ``i`` (negative too; IndexError beyond the
    end), so that a worker can rebuild any run from its index.
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
        """Describe the source so that its plugin can rebuild it; ``type`` names its kind."""
        ...


@runtime_checkable
class ParamResolver(Protocol):
    """Adds or replaces params that depend on the context or on other params."""

    def resolve(self, context_meta: Any, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the params that the operation receives."""
        ...
