"""Finds the serializer for an object or for a format, importing no plugin but the one it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.errors import CaptureError, MetalabError, PluginError
from metalab.plugins import SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metalab.serializers.base import Serializer

__all__ = ["serializer_for", "serializer_named"]

_FORMAT_OF_KIND = {"json": "builtins/json", "text": "builtins/text", "bytes": "builtins/bytes"}
_PICKLE = "pickle/pickle"


def serializer_for(
    obj: object,
    *,
    kind: str | None = None,
    format: str | None = None,  # noqa: A002  the public name
    allow_pickle: bool = False,
) -> Serializer:
    """Find the serializer for an object: by ``format``, else by ``kind``, else by its library.

    The library is the top-level package of the object's class, then of each class it
    inherits from. Raises CaptureError if nothing takes the object or if pickle is asked for
    and not allowed, MissingPluginError for a format that no installed plugin writes.
    """
    wanted = _PICKLE if kind == "pickle" and format is None else format
    found = _of_kind(obj, kind) if wanted is None else _of_format(obj, kind, wanted)
    if found is None:
        raise CaptureError(_unhandled(obj, kind, wanted))
    if found.kind == "pickle" and not allow_pickle:
        raise CaptureError(
            f"a pickle (format {found.format!r}) runs code when it is read; "
            "to keep pickles all the same, say Experiment(allow_pickle=True)"
        )
    return found


def serializer_named(
    format: str,  # noqa: A002  the public name
    *,
    allow_pickle: bool = False,
) -> Serializer:
    """Find the serializer that wrote a format, as ``ArtifactDescriptor.format`` names it.

    A pickle runs code when it is read, so it needs ``allow_pickle=True``, else MetalabError.
    Raises MissingPluginError if no installed plugin reads the format.
    """
    library = format.partition("/")[0]
    found: Serializer | None = SERIALIZERS[library].metalab_serializer_named(format=format)
    if found is None:
        info = SERIALIZERS.info(library)
        raise PluginError(f"the serializer plugin {info} neither writes nor reads {format!r}")
    if found.kind == "pickle" and not allow_pickle:
        raise MetalabError(
            f"a pickle (format {format!r}) runs code when it is read; "
            "if you trust whoever wrote it, load it with allow_pickle=True"
        )
    return found


def _of_format(obj: object, kind: str | None, wanted: str) -> Serializer | None:
    found = serializer_named(wanted, allow_pickle=True)
    return found if kind in {None, found.kind} and found.can_handle(obj) else None


def _of_kind(obj: object, kind: str | None) -> Serializer | None:
    for offer in _offers(obj):
        if kind in {None, offer.kind}:
            return offer
    # A plugin offers one serializer for an object; core's forms can be chosen beside it.
    return _of_format(obj, kind, _FORMAT_OF_KIND[kind]) if kind in _FORMAT_OF_KIND else None


def _offers(obj: object) -> Iterator[Serializer]:
    uninstalled = False
    for library, base in _libraries(obj).items():
        if library in SERIALIZERS:
            if base is object and uninstalled:
                return
            offer: Serializer | None = SERIALIZERS[library].metalab_serializer_for(obj=obj)
            if offer is not None:
                yield offer
        else:
            # Tagged JSON could hold an array too, but as an artifact it would be large and
            # unreadable: better to say what to install.
            uninstalled = uninstalled or library in SERIALIZERS.extras()


def _libraries(obj: object) -> dict[str, type]:
    found: dict[str, type] = {}
    for base in type(obj).__mro__:
        found.setdefault(str(base.__module__).partition(".")[0], base)
    return found


def _unhandled(obj: object, kind: str | None, wanted: str | None) -> str:
    what = f"{type(obj).__module__}.{type(obj).__qualname__}"
    if wanted is not None:
        also = "" if kind is None else f" of kind {kind!r}"
        return f"the serializer {wanted!r} does not take {what}{also}"
    for library in _libraries(obj):
        if library in SERIALIZERS.extras():
            return f"nothing keeps {what}: {SERIALIZERS.missing(library)}"
    if kind is not None:
        return f"no serializer of kind {kind!r} takes {what}"
    return (
        f"nothing keeps {what}; make plain values, text or bytes of it, or write it to a file "
        "and keep that with capture.file, or install a serializer plugin for its library, or "
        'use kind="pickle" with Experiment(allow_pickle=True)'
    )
