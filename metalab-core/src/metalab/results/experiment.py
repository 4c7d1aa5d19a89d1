"""What the manifest of an experiment says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ExperimentInfo"]


@attrs.frozen
class ExperimentInfo:
    """The experiment that a run belongs to, as it was when the run was executed.

    ``manifest`` is all that is kept of it; the other fields are taken from there.
    """

    experiment_id: str
    name: str
    version: str
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    manifest: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    @classmethod
    def of(cls, experiment_id: str, manifest: Mapping[str, Any]) -> ExperimentInfo:
        """Read a manifest; without one, what the id tells is all that is known."""
        name, _, version = experiment_id.partition(":")
        return cls(
            experiment_id,
            manifest.get("name", name),
            manifest.get("version", version),
            manifest.get("description"),
            tuple(manifest.get("tags", ())),
            manifest.get("metadata", {}),
            manifest,
        )
