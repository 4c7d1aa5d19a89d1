"""Artifacts: where their bytes go, what their uris say, and how they are read again."""

from __future__ import annotations

import hashlib
import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from metalab.errors import StoreError
from metalab.store.file import disk
from metalab.store.file.hashing import Hashing, sha256
from metalab.store.file.packs import LARGEST, member_at, parse_pack_uri
from metalab.store.names import file_name
from metalab.store.reading import ArtifactFile

if TYPE_CHECKING:
    from metalab.records import ArtifactDescriptor, AttemptKey
    from metalab.store.file.freshnames import FreshNames
    from metalab.store.file.layout import Folder

__all__ = ["file_of", "keep_large", "member_name", "open_uri", "small_bytes"]

_BLOCK = 1 << 20
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
    return f"{file_name(run.run_id)}/{attempt}/{_with_extension(name, extension)}"


def keep_large(
    folder: Folder,
    names: FreshNames,
    run: AttemptKey,
    name: str,
    source: bytes | Path,
    extension: str,
) -> tuple[str, str, int]:
    """Keep an artifact as a file of its own, durably but for its name: its uri, sha256, size.

    The name holds the content's hash: equal content is kept once, and no attempt overwrites
    another.
    """
    run_name = file_name(run.run_id)
    target = folder.make("artifacts", run_name[:2])
    with disk.temporary(target) as (file, written):
        digest, size = _write(source, file)
        path = target / f"{run_name}.{file_name(name)}.{digest[:12]}{_extension(extension)}"
        if not (path.exists() and path.stat().st_size == size):
            disk.move(written, path, size, lasting=False)
    names.add(target)  # also where another has given the name, which may be as fresh
    return f"artifacts/{target.name}/{path.name}", digest, size


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


def _write(source: bytes | Path, file: BinaryIO) -> tuple[str, int]:
    """Write an artifact durably; return its sha256 and size."""
    if isinstance(source, Path):
        digest, size = _copy(source, file)
        _finish(file)
        return digest, size
    hashing = Hashing(source)  # while the disk is waited for
    file.write(source)
    _finish(file)
    return hashing.result(), len(source)


def _finish(file: BinaryIO) -> None:
    file.flush()
    disk.sync(file.fileno())
    file.close()


def _copy(source: Path, file: BinaryIO) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
            file.write(block)
            size += len(block)
    return digest.hexdigest(), size


def _with_extension(name: str, extension: str) -> str:
    return f"{file_name(name)}{_extension(extension)}"


def _extension(extension: str) -> str:
    return f".{file_name(extension, longest=40)}" if extension else ""
