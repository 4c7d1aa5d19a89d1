"""Mapping: artifacts seen in their files, as memory that is read where it is looked at."""

from __future__ import annotations

import errno
import mmap
import os
import sys
import weakref
from typing import TYPE_CHECKING

from metalab.store.file.artifacts import open_uri
from metalab.store.file.packs import parse_pack_uri

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from io import BufferedReader
    from pathlib import Path

    from metalab.records import ArtifactDescriptor

__all__ = ["map_uri"]

# What a file system says that maps no files, for whatever reason; such files are read instead.
_UNMAPPABLE = {
    *(errno.EACCES, errno.EINVAL, errno.ENODEV, errno.ENOMEM),
    *(errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM),
}


def map_uri(folder: Path, artifact: ArtifactDescriptor) -> memoryview | None:
    """Map the bytes of an artifact; see ``Store.map_artifact``.

    Artifacts of one pack share a mapping of it. Before Python 3.13 every mapping keeps a file
    open; raises OSError where no more may be. A file that is cut short after this has looked
    at its size ends the process when the missing part is read, as every mapped file does.
    """
    packed = parse_pack_uri(artifact.uri)
    with open_uri(folder, artifact) as file:  # which checks size and, of what is small, content
        if packed is None:
            return _mapped(file)  # type: ignore[arg-type]  # a file of its own
    name, offset, size = packed
    if not size:
        return None  # no file system maps nothing
    with (folder / "packs" / name).open("rb") as pack:
        memory = _mapped_pack(pack, offset + size)
    return None if memory is None else memory[offset : offset + size]


def _mapped(file: BufferedReader) -> memoryview | None:
    length = os.fstat(file.fileno()).st_size
    if not length:
        return None
    try:
        return memoryview(_map(file.fileno(), length))
    except OSError as error:
        if error.errno in _UNMAPPABLE:
            return None
        raise


def _mapped_pack(file: BufferedReader, least: int) -> memoryview | None:
    found = os.fstat(file.fileno())
    key = found.st_dev, found.st_ino
    known = _packs.get(key)
    if known is not None and len(known) >= least:  # it may have grown since
        return memoryview(known)
    made = _mapped(file)
    if made is None or len(made) < least:
        return None
    _packs[key] = made.obj  # type: ignore[assignment]  # of which the view is made
    return made


def _map(fd: int, length: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):
        return mmap.mmap(fd, length, access=mmap.ACCESS_READ, trackfd=False)
    return mmap.mmap(fd, length, access=mmap.ACCESS_READ)


# By device and inode: a number is not given to another file while something maps this one.
_packs: MutableMapping[tuple[int, int], mmap.mmap] = weakref.WeakValueDictionary()
