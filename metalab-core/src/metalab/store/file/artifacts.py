"""Artifacts: where their bytes go, what their uris say, and how they are read again."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from metalab.errors import StoreError
from metalab.store.file import disk
from metalab.store.file.hashing import sha256
from metalab.store.file.packs import LARGEST, member_at, parse_pack_uri
from metalab.store.names import ending, file_name
from metalab.store.reading import ArtifactFile

if TYPE_CHECKING:
    from metalab.records import ArtifactDescriptor, AttemptKey

__all__ = ["file_of", "member_name", "open_uri", "small_bytes"]

_uri = re.compile(r"artifacts/(?!\.)[a-z0-9%._~-]+/(?!\.)[a-z0-9%._~-]+")


def small_bytes(source: bytes | Path) -> bytes | None:
    """Return the bytes of an artifact that belongs into a pack, None for a larger one."""
    if isinstance(source, Path):
        if source.stat().st_size > LARGEST:
            return None
        source = disk.read_all(source)
    return source if len(source) <= LARGEST else None


def member_name(run: AttemptKey, name: str, extension: str) -> str:
    """Return the name of an artifact in a pack: ``<run>/<attempt>/<name>.<extension>``."""
    attempt = f"{run.epoch}.{run.attempt}" if run.epoch else str(run.attempt)
    return f"{file_name(run.run_id)}/{attempt}/{file_name(name)}{ending(extension)}"


def open_uri(folder: Path, artifact: ArtifactDescriptor | str) -> BinaryIO:
    """Open the bytes of an artifact; see ``Store.open_artifact``."""
    uri = artifact if isinstance(artifact, str) else artifact.uri
    packed = parse_pack_uri(uri)
    if packed is None and _uri.fullmatch(uri) is None:
        raise ValueError(
            f"{uri!r} is no artifact of this store: uris begin with packs/ or artifacts/"
        )
    try:
        if packed is None:
            return _opened(folder, artifact)
        name, offset, size = packed
        data = disk.read_from(folder / "packs" / name, offset, size)
    except FileNotFoundError as error:
        raise StoreError(f"the bytes of {uri} are gone: {error.filename} is missing") from error
    if len(data) < size or not _is_content(data, artifact):
        raise StoreError(f"the bytes of {uri} are damaged in {folder / 'packs' / name}")
    return io.BytesIO(data)


def file_of(folder: Path, artifact: ArtifactDescriptor) -> ArtifactFile:
    """Tell what is known of an artifact's bytes; see ``Store.artifact_file``."""
    packed = parse_pack_uri(artifact.uri)
    stem = file_name(artifact.name)
    if packed is not None:
        name, offset, _ = packed
        member = member_at(folder / "packs" / name, offset)
        return ArtifactFile(_ending(member.rpartition("/")[2], f"{stem}."))
    path = folder / artifact.uri
    if _uri.fullmatch(artifact.uri) is None or not path.is_file():
        return ArtifactFile()
    content = (artifact.content_hash or "")[:12]
    return ArtifactFile(_ending(path.name.partition(".")[2], f"{stem}.{content}."), path)


def _ending(name: str, beginning: str) -> str:
    return name.removeprefix(beginning) if name.startswith(beginning) else ""


def _opened(folder: Path, artifact: ArtifactDescriptor | str) -> BinaryIO:
    if isinstance(artifact, str):
        return (folder / artifact).open("rb")
    file = (folder / artifact.uri).open("rb")
    size, kept = os.fstat(file.fileno()).st_size, artifact.size_bytes
    if kept is None or size == kept:
        return file
    file.close()
    raise StoreError(
        f"the bytes of {artifact.uri} are damaged: {folder / artifact.uri} has {size:,} bytes, "
        f"it was kept with {kept:,}"
    )


def _is_content(data: bytes, artifact: ArtifactDescriptor | str) -> bool:
    if isinstance(artifact, str) or artifact.content_hash is None:
        return True
    return sha256(data) == artifact.content_hash
