"""The plugin ``sobol`` of metalab: it rebuilds a source from what its manifest says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.hookspecs import hookimpl
from metalab_sobol.source import SobolSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.params import ParamSource

__all__ = ["metalab_param_source"]


@hookimpl
def metalab_param_source(manifest: Mapping[str, Any]) -> ParamSource:
    """Rebuild a source, with the same points in the same order."""
    return SobolSource.from_manifest_dict(manifest)
