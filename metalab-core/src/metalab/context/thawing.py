"""Thawing: a context made again from the manifest that describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from metalab.context.frozen import is_unchanged
from metalab.context.paths import FileStamp
from metalab.errors import IdentityError
from metalab.identity.values import from_jsonable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["thaw"]


def thaw(manifest: Mapping[str, Any]) -> Any:
    """Return a context equal to the one of which a FrozenContext had this manifest.

    Files and folders are looked for where they were, by absolute path, whatever the path was
    that the context named; nothing of them is read. Raises IdentityError, naming the place,
    for what the manifest holds by its hash alone, and for a class that is not loaded.
    """
    stamps = from_jsonable(manifest["files"], strict=True)
    files = {path: FileStamp(**stamp) for path, stamp in stamps.items()}
    document = _Thawing(files).visit(manifest["value"], "context")
    try:
        return from_jsonable(document, strict=True)
    except IdentityError as error:
        raise IdentityError(f"context: {error}") from error


@attrs.frozen
class _Thawing:
    """One walk through a manifest's value, which makes documents of values that can be read."""

    files: Mapping[str, FileStamp]

    def visit(self, document: Any, path: str) -> Any:
        """Return the document with files and folders as objects."""
        if type(document) is list:
            return [self.visit(item, f"{path}[{i}]") for i, item in enumerate(document)]
        if type(document) is not dict:
            return document
        if len(document) == 1:
            ((tag, payload),) = document.items()
            if tag[:1] == "$":
                return self._visit_tagged(tag, payload, path)
        return {key: self.visit(item, f"{path}[{key!r}]") for key, item in document.items()}

    def _visit_tagged(self, tag: str, payload: Any, path: str) -> Any:
        if tag == "$hash":
            raise IdentityError(f"{path} is a large {payload[0]}, of which the hash alone is kept")
        if tag == "$payload":
            ref, content = payload
            return self._visit_content(ref, content, path)
        if tag == "$object":
            ref, fields = payload
            return {tag: [ref, {k: self.visit(v, f"{path}.{k}") for k, v in fields.items()}]}
        return {tag: self.visit(payload, path)}

    def _visit_content(self, ref: str, content: Any, path: str) -> dict[str, Any]:
        names = _FIELDS.get(ref)
        if names is None:
            raise IdentityError(f"{path} is a {ref}, of which only what identifies it is kept")
        place = content.get("path")
        if place is None:
            place = self._place(content["sha256"], content.get("pattern"), path)
        fields = {name: content[name] for name in names}
        return {"$object": [ref, {**fields, "path": place, "hash_path": "path" in content}]}

    def _place(self, sha256: str, pattern: str | None, path: str) -> str:
        found = {
            place: stamp
            for place, stamp in self.files.items()
            if (stamp.sha256, stamp.pattern) == (sha256, pattern)
        }
        if not found:
            raise IdentityError(f"{path} is a file of which no path is kept")
        # Of files with one content, one that still has it does as well as the others.
        place = next((p for p, stamp in found.items() if is_unchanged(p, stamp)), next(iter(found)))
        return place if pattern is None else place.removesuffix(pattern)


# What is kept of these, beside the hash.
_FIELDS = {"metalab.context:FilePath": (), "metalab.context:DirPath": ("pattern",)}
