"""Artifacts: what their uris say, and how their bytes are found again."""

from __future__ import annotations

import io
import re
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from metalab.errors import StoreError
from metalab.store.names import file_name
from metalab_sqlite.documents import find

if TYPE_CHECKING:
    from metalab.records import ArtifactDescriptor
    from metalab_sqlite.database import Database

__all__ = ["extension_of", "name_of", "open_uri"]

_uri = re.compile(r"artifact/(([0-9a-f]{64})(?:\.([a-z0-9%._~-]+))?)").fullmatch
_LONGEST = 40


def name_of(digest: str, extension: str) -> str:
    """Return the name under which bytes are kept: their hash, and what a file of them ends in."""
    ending = f".{file_name(extension, longest=_LONGEST)}" if extension else ""
    return f"{digest}{ending}"


def extension_of(uri: str) -> str:
    """Return the extension that a uri tells; empty if it tells none."""
    found = _uri(uri)
    return (found[3] or "") if found else ""


def open_uri(database: Database, experiment: str, artifact: ArtifactDescriptor | str) -> BinaryIO:
    """Open the bytes of an artifact; see ``Store.open_artifact``."""
    uri = artifact if isinstance(artifact, str) else artifact.uri
    found = _uri(uri)
    if found is None:
        raise ValueError(f"{uri!r} is no artifact of this store: uris begin with artifact/")
    name, digest, _ = found.groups()
    data = find(database, experiment, "artifact", name)
    if data is None:
        raise StoreError(f"the bytes of {uri} are gone from {database.path}")
    if sha256(data).hexdigest() != digest:
        raise StoreError(f"the bytes of {uri} are damaged in {database.path}")
    return io.BytesIO(data)
