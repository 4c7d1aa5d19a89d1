"""Files: hashes of what files and folders contain, wherever they lie and whenever written."""

from __future__ import annotations

import os
import stat
import time
from fnmatch import fnmatchcase
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING

from metalab.errors import IdentityError
from metalab.identity.canonical import canonical_bytes
from metalab.identity.hashcache import cached_hash, remember_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["dir_files", "dir_hash", "file_hash", "is_settled"]

_SETTLED_NS = 2_000_000_000


def file_hash(path: str | os.PathLike[str]) -> str:
    """Return the sha256 of a file's content, in hex; links are followed.

    Hashes of files unchanged since are remembered in the user's cache directory. Raises
    FileNotFoundError, or IdentityError for what is no regular file.
    """
    file = Path(path)
    try:
        found = file.stat()
    except FileNotFoundError:
        raise FileNotFoundError(f"file not found: {file}{_broken(file)}") from None
    if not stat.S_ISREG(found.st_mode):
        advice = "; use DirPath for a folder" if stat.S_ISDIR(found.st_mode) else ""
        raise IdentityError(f"not a regular file: {file}{advice}")
    known = cached_hash(_state(found))
    return _hash_now(file) if known is None else known


def dir_hash(path: str | os.PathLike[str], pattern: str = "*") -> str:
    """Return a hash of the names and contents of a folder's files, in hex.

    ``pattern`` selects files by name in the folder and all folders below it, or by their
    path from the folder if it has a slash, where ``**`` stands for any number of folders.
    Empty folders do not count, links are followed. Raises FileNotFoundError if the folder or
    what a link points to does not exist, IdentityError for links that form a loop.
    """
    root = Path(path)
    content = [(name, file_hash(root / name)) for name in dir_files(root, pattern)]
    return sha256(canonical_bytes(content)).hexdigest()


def dir_files(path: str | os.PathLike[str], pattern: str = "*") -> list[str]:
    """Return the sorted names, from the folder, of the files that ``dir_hash`` hashes."""
    root = Path(path)
    if not root.is_dir():
        what = "not a directory" if root.exists() else "directory not found"
        raise FileNotFoundError(f"{what}: {root}{_broken(root)}")
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    if "/" not in pattern:
        parts = ["**", *parts]
    return sorted(name for name in _walk(root, "", ()) if _matches(name.split("/"), parts))


def is_settled(found: os.stat_result) -> bool:
    """Whether a further change would show in a file's times, whose steps may be coarse."""
    return time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED_NS


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    here = folder.stat()
    place = (here.st_dev, here.st_ino)
    if place in above:
        raise IdentityError(f"links form a loop: {folder} leads to a folder above it")
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", (*above, place))
            else:
                yield prefix + entry.name


def _matches(names: list[str], parts: list[str]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return any(_matches(names[i:], parts[1:] or ["*"]) for i in range(len(names)))
    return bool(names) and fnmatchcase(names[0], parts[0]) and _matches(names[1:], parts[1:])


def _hash_now(path: Path) -> str:
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        digest = file_digest(file, "sha256").hexdigest()
        after = os.fstat(file.fileno())
    if _state(before) == _state(after) and is_settled(after):
        remember_hash(_state(after), digest)
    return digest


def _state(found: os.stat_result) -> tuple[int, ...]:
    # The change time is set by the system alone: restoring mtime does not restore it.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _broken(path: Path) -> str:
    return f" (a link to {path.readlink()}, which is not there)" if path.is_symlink() else ""
