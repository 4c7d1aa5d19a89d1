"""What a launch's document says of other things that its store keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["patch_of"]


def patch_of(launch: Mapping[str, Any]) -> str | None:
    """Return the name of the patch with what was changed in its checkout; None without one."""
    git = launch.get("git")
    diff = git.get("diff") if isinstance(git, dict) else None
    name = diff.get("sha256") if isinstance(diff, dict) else None
    return name if isinstance(name, str) else None
