"""Structures kept by value, as they are at the moment they are captured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from metalab.capture.refusal import refusal
from metalab.errors import IdentityError
from metalab.identity.values import from_jsonable
from metalab.serializers.forms import json_text

__all__ = ["is_small", "plain_metadata", "text_of", "value_of"]

_INLINE = 32 * 1024  # bytes of JSON: a record's line stays one that people can read


def text_of(call: str, name: str, obj: Any, path: str) -> bytes:
    """Return a structure as tagged JSON; CaptureError with the path of what cannot be kept."""
    try:
        return json_text(obj, path, exact=False)
    except IdentityError as error:
        reason = f"{error}; or keep the object with capture.artifact"
        raise refusal(call, name, reason) from error


def value_of(text: bytes) -> Any:
    """Return a structure of its own, equal to the one captured."""
    return from_jsonable(msgspec.json.decode(text))


def is_small(text: bytes) -> bool:
    """Tell whether a structure has room in the run's record."""
    return len(text) <= _INLINE


def plain_metadata(call: str, name: str, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy of the metadata of an artifact; CaptureError for what cannot be kept."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
        raise refusal(call, name, "metadata is a dict with strings as keys")
    copy: dict[str, Any] = value_of(text_of(call, name, dict(metadata), "metadata"))
    return copy
