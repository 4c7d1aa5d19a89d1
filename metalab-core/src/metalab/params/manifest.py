"""Manifests: param sources as strict JSON, and rebuilt from it.

A manifest names the plugin that rebuilds its source. What cannot be described, such as a
lambda, is written as its repr, and the manifest says that it is not rebuildable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from metalab.errors import IdentityError, PluginError
from metalab.identity.names import reference, resolve
from metalab.identity.values import from_jsonable, to_jsonable
from metalab.params.base import ParamSource
from metalab.params.words import shown
from metalab.plugins import PARAM_SOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["source_from_manifest"]

_TYPES = {
    "concat": "ConcatSource",
    "filtered": "FilteredSource",
    "grid": "GridSource",
    "manual": "ManualSource",
    "product": "ProductSource",
    "random": "RandomSource",
    "resolved": "ResolvedSource",
    "slice": "SelectedSource",
    "zip": "ZipSource",
}


def source_from_manifest(document: Mapping[str, Any]) -> ParamSource:
    """Rebuild the source that ``to_manifest_dict`` described: the same cases in the same order.

    Raises ValueError for a manifest that is not rebuildable here: one that says so, or one
    that names functions or classes whose module is not loaded;
    MissingPluginError if no plugin serves its kind.
    """
    if not isinstance(document, Mapping):
        raise TypeError(f"the manifest of a param source is a dict, not {shown(document)}")
    kind = document.get("kind", document.get("type"))
    if not isinstance(kind, str):
        raise ValueError(  # noqa: TRY004  what is wrong is the document
            f"the manifest of a param source names no kind: {dict(document)!r}"
        )
    if not is_rebuildable(document):
        raise _lost(document, "something in it has no description but its repr")
    hooks = PARAM_SOURCES[kind]
    source: ParamSource | None = hooks.metalab_param_source(manifest=document)
    if source is None:
        raise PluginError(
            f"the param source plugin {PARAM_SOURCES.info(kind)} does not rebuild the "
            f"manifest of kind {kind!r} that it was given"
        )
    return source


def headed(kind: str) -> dict[str, Any]:
    """Begin the manifest of one of core's sources."""
    return {"type": _TYPES[kind], "kind": kind}


def composed(kind: str, **parts: ParamSource | Sequence[ParamSource]) -> dict[str, Any]:
    """Begin the manifest of a source that is made of others."""
    document = headed(kind)
    inner: list[dict[str, Any]] = []
    for name, part in parts.items():
        if isinstance(part, ParamSource):
            document[name] = part.to_manifest_dict()
            inner.append(document[name])
        else:
            document[name] = [source.to_manifest_dict() for source in part]
            inner.extend(document[name])
    return marked(document, is_known=all(map(is_rebuildable, inner)))


def marked(document: dict[str, Any], *, is_known: bool) -> dict[str, Any]:
    """Note in a manifest, unless all of it ``is_known``, that it cannot rebuild its source."""
    return document if is_known else {**document, "rebuildable": False}


def is_rebuildable(document: Mapping[str, Any]) -> bool:
    """Tell what a manifest says about itself."""
    return bool(document.get("rebuildable", True))


def described(value: object) -> tuple[Any, bool]:
    """Return a value as strict JSON, types and all, and True; or its repr and False."""
    try:
        return to_jsonable(value, exact=True), True
    except IdentityError:
        return repr(value), False


def described_callable(function: object) -> tuple[Any, bool]:
    """Return the name of a function, or what an object is made of, and True; or repr and False."""
    if not isinstance(function, type) and not hasattr(function, "__qualname__"):
        return described(function)
    try:
        return reference(function), True
    except IdentityError:  # a lambda, or a function made by another
        return repr(function), False


def callable_of(document: Mapping[str, Any], key: str) -> Any:
    """Return what ``described_callable`` described; ValueError if it is not loaded."""
    found = document[key]
    if not isinstance(found, str):
        return revived(found, document)
    function = resolve(found)
    if function is None:
        raise _lost(document, f"{found} is not loaded in this process")
    return function


def revived(value: Any, document: Mapping[str, Any]) -> Any:
    """Return a value that stands in a manifest; ValueError if its class is not loaded."""
    try:
        return from_jsonable(value, strict=True)
    except IdentityError as error:
        raise _lost(document, error) from error


def _lost(document: Mapping[str, Any], reason: object) -> ValueError:
    return ValueError(
        f"the {document.get('type', 'source')} cannot be rebuilt: {reason}; import the module "
        "that defines it first, or make the source by the code that made it"
    )
