"""The plugin of core's own param sources: they are rebuilt from manifests here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.hookspecs import hookimpl
from metalab.params.algebra import (
    ConcatSource,
    FilteredSource,
    ProductSource,
    SelectedSource,
    ZipSource,
)
from metalab.params.grids import GridSource
from metalab.params.manifest import callable_of, source_from_manifest
from metalab.params.points import ManualSource
from metalab.params.resolver import ResolvedSource
from metalab.params.trials import RandomSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metalab.params.base import ParamSource

__all__ = ["metalab_param_source"]


@hookimpl
def metalab_param_source(manifest: Mapping[str, Any]) -> ParamSource | None:
    """Rebuild a source that core knows how to describe."""
    rebuild = _BUILDERS.get(manifest.get("kind", ""))
    return None if rebuild is None else rebuild(manifest)


def _inner(document: Mapping[str, Any]) -> tuple[ParamSource, ...]:
    return tuple(map(source_from_manifest, document["sources"]))


def _slice(document: Mapping[str, Any]) -> SelectedSource:
    indices = range(document["start"], document["stop"], document["step"])
    return SelectedSource(source_from_manifest(document["source"]), indices)


def _filtered(document: Mapping[str, Any]) -> FilteredSource:
    source = source_from_manifest(document["source"])
    return FilteredSource(source, callable_of(document, "filter"))


_BUILDERS: dict[str, Callable[[Mapping[str, Any]], ParamSource]] = {
    "concat": lambda document: ConcatSource(_inner(document)),
    "filtered": _filtered,
    "grid": GridSource.from_manifest_dict,
    "manual": ManualSource.from_manifest_dict,
    "product": lambda document: ProductSource(_inner(document)),
    "random": RandomSource.from_manifest_dict,
    "resolved": ResolvedSource.from_manifest_dict,
    "slice": _slice,
    "zip": lambda document: ZipSource(_inner(document)),
}
