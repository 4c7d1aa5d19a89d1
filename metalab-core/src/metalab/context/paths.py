"""Paths: files and folders that are identified by what they contain."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import attrs

from metalab.identity.files import dir_files, dir_hash, file_hash

__all__ = ["DirPath", "FilePath", "FileStamp", "Fingerprintable"]


@runtime_checkable
class Fingerprintable(Protocol):
    """Says itself what identifies it, in a context or as a param."""

    def fingerprint_payload(self) -> Any:
        """Return plain values that are equal for equal content, and only then."""
        ...


@attrs.frozen
class FileStamp:
    """What was seen of a file, or of a folder's files, when it was hashed.

    ``size`` is in bytes, ``mtime_ns`` in nanoseconds since 1970; for a folder, the sum and
    the latest over the ``count`` files that match ``pattern``.
    """

    sha256: str
    size: int
    mtime_ns: int
    count: int = 1
    pattern: str | None = None


def _plain_path(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise TypeError(f"a path is a str or a Path, not {path!r} ({type(path).__name__})")
    if not text:
        raise ValueError("a path is not empty")
    try:
        is_possible = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        is_possible = False
    if not is_possible:
        raise ValueError(f"a path that no file can have: {text!r}")
    return os.path.expanduser(text)  # noqa: PTH111  a Path would not keep "./x" as written


@attrs.frozen
class FilePath:
    """A file that is identified by its content; where it lies counts only with ``hash_path``.

    Nothing is read before the experiment is planned. ``~`` is the user's home.
    """

    path: str = attrs.field(converter=_plain_path)
    hash_path: bool = False

    def fingerprint_payload(self) -> dict[str, str]:
        """Return the sha256 of the content; FileNotFoundError if there is no such file."""
        return _with_path(self, {"sha256": file_hash(self.path)})

    def stamp(self, sha256: str) -> FileStamp:
        """Return the hash with the size and time of the file as of now."""
        found = Path(self.path).stat()
        return FileStamp(sha256, found.st_size, found.st_mtime_ns)

    def __str__(self) -> str:
        return self.path

    def __fspath__(self) -> str:
        return self.path


@attrs.frozen
class DirPath:
    """A folder that is identified by its files that match ``pattern``, in subfolders too.

    Names and contents count; where the folder lies counts only with ``hash_path``. Nothing
    is read before the experiment is planned. ``~`` is the user's home.
    """

    path: str = attrs.field(converter=_plain_path)
    pattern: str = "*"
    hash_path: bool = False

    def fingerprint_payload(self) -> dict[str, str]:
        """Return a hash of the files; FileNotFoundError if there is no such folder."""
        content = dir_hash(self.path, self.pattern)
        return _with_path(self, {"sha256": content, "pattern": self.pattern})

    def stamp(self, sha256: str) -> FileStamp:
        """Return the hash with the number, size and latest time of the files as of now."""
        found = [Path(self.path, name).stat() for name in dir_files(self.path, self.pattern)]
        size = sum(each.st_size for each in found)
        mtime_ns = max((each.st_mtime_ns for each in found), default=0)
        return FileStamp(sha256, size, mtime_ns, len(found), self.pattern)

    def __str__(self) -> str:
        return self.path

    def __fspath__(self) -> str:
        return self.path


def _with_path(path: FilePath | DirPath, content: dict[str, str]) -> dict[str, str]:
    return {**content, "path": path.path} if path.hash_path else content
