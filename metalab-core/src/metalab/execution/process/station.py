"""Stations: as whose workers processes execute a launch, and in what surroundings."""

from __future__ import annotations

from typing import Any

import attrs

from metalab.transport import Surroundings

__all__ = ["Station"]


@attrs.frozen(kw_only=True)
class Station:
    """What the workers of a submission say of themselves, and where they find what they import.

    ``executor`` is the name by which anybody can ask whether they live, and ``owner`` what
    that executor calls them. ``label`` heads their names in records and logs. With
    ``takes_edits`` modules may be others than those that were packed: the runs then are
    recorded with the code that was found, and say so.
    """

    executor: str
    surroundings: Surroundings = attrs.field(factory=Surroundings.here)
    owner: str = ""
    label: str = attrs.field()
    takes_edits: bool = False

    @label.default
    def _executor(self) -> str:
        return self.executor

    def to_dict(self) -> dict[str, Any]:
        """Describe it for a worker."""
        return attrs.asdict(self)

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Station:
        """Return what ``to_dict`` described."""
        return cls(**{**told, "surroundings": Surroundings(**told["surroundings"])})
