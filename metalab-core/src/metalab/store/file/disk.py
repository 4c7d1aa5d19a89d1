"""Every call by which a file store touches the disk, and what differs between platforms.

Tests put faults in here; nothing else in the store opens, writes or syncs a file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from typing import TYPE_CHECKING, BinaryIO

from metalab.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from io import FileIO
    from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "BLOCK",
    "TEMPORARY",
    "after_fork",
    "blocks",
    "clock_of",
    "close",
    "create",
    "explain",
    "explained",
    "folders",
    "is_gone",
    "is_hopeless",
    "is_ours",
    "line_numbers",
    "lines",
    "link",
    "make_directory",
    "modified",
    "move",
    "names",
    "pieces",
    "publish",
    "read_all",
    "read_from",
    "read_last",
    "reading",
    "remove",
    "replace",
    "size_of",
    "sync",
    "sync_directory",
    "sync_file",
    "temporary",
    "token_of",
    "touch",
    "write",
]

# What fits into a processor's own cache: blocks of 2 MB cost twice as much to split and check.
BLOCK = 1 << 18
TEMPORARY = ".tmp."
"""How the names of files begin that are not finished."""

_EXTRA = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_HOPELESS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR)
}
_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EACCES: "ask for write permission, or name another store",
    errno.EPERM: "ask for write permission, or name another store",
    errno.EROFS: "name a store on a file system that is not read-only",
    errno.ENOTDIR: "name a folder, not a file",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}

write = os.write
"""Append data in one call; returns how many bytes were taken."""


def create(path: Path) -> int:
    """Open a new file for appending; raises FileExistsError if the name is taken."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | _EXTRA, 0o666)


def sync(fd: int) -> None:
    """Return once the file's data would survive the machine."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if sys.platform == "darwin" and full is not None:  # there fsync leaves the drive's cache
        fcntl.fcntl(fd, full)
        return
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_file(path: Path) -> None:
    """Return once what is in a file, whoever wrote it, would survive the machine."""
    fd = os.open(path, os.O_RDWR | _EXTRA)
    try:
        sync(fd)
    finally:
        os.close(fd)


def sync_directory(path: Path) -> None:
    """Return once the names in a directory would survive the machine."""
    if os.name == "nt":  # no handle of a directory can be synced there
        return
    fd = os.open(path, os.O_RDONLY | _EXTRA)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def close(fd: int) -> None:
    """Close a file whose data is synced or given up, so that an error here means nothing."""
    with contextlib.suppress(OSError):
        os.close(fd)


def remove(path: Path) -> None:
    """Remove a file, or an empty folder, of ours that counts no more; where that fails, no harm."""
    with contextlib.suppress(OSError):
        try:
            path.unlink()
        except (IsADirectoryError, PermissionError):  # what a platform says of a folder
            path.rmdir()


def touch(fd: int) -> None:
    """Set a file's time to now. Where that fails others may take its owner for dead, no more."""
    with contextlib.suppress(OSError):
        os.utime(fd)


def token_of(path: Path) -> tuple[int, int]:
    """Return what changes whenever a file is written or touched: its size and its time."""
    with path.open("rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        return found.st_size, found.st_mtime_ns


def is_ours(opened: os.stat_result, path: Path, size: int) -> bool:
    """Tell whether the path still names the file that was opened, with all we wrote to it."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, opened) and named.st_size >= size


def make_directory(path: Path) -> bool:
    """Make a directory durably; False if it was there. Its parent must exist."""
    try:
        path.mkdir()
    except FileExistsError:
        if path.is_dir():
            return False
        raise NotADirectoryError(
            errno.ENOTDIR, "a file stands where a folder is needed", path
        ) from None
    sync_directory(path.parent)
    return True


@contextlib.contextmanager
def temporary(directory: Path, mode: int = 0o666) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a hidden file beside its later name; it is removed unless it was moved away."""
    path = directory / f"{TEMPORARY}{secrets.token_hex(8)}"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _EXTRA, mode)
    try:
        with os.fdopen(fd, "w+b") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


def publish(path: Path, data: bytes, mode: int = 0o666) -> bool:
    """Put a whole file under a name, durably; False if the name was taken: first one wins."""
    with temporary(path.parent, mode) as (file, written):
        file.write(data)
        file.flush()
        sync(file.fileno())
        try:
            os.link(written, path)
        except FileExistsError:
            return False
        except (OSError, AttributeError):  # a file system, or a platform, without hard links
            if path.exists():
                return False
            file.close()
            written.replace(path)
    sync_directory(path.parent)
    return True


def link(source: Path, name: Path) -> bool:
    """Give a file one more name, without syncing it; False if that is another file's."""
    try:
        os.link(source, name)
    except FileExistsError:
        # A network file system may replay a link that has been made.
        return source.samefile(name)
    except (OSError, AttributeError):  # no hard links here, or no further ones to this file
        return _copy_new(source, name)
    return True


def _copy_new(source: Path, name: Path) -> bool:
    try:
        fd = create(name)
    except FileExistsError:
        return False
    try:
        write(fd, read_all(source))
    finally:
        os.close(fd)
    return True


def replace(file: BinaryIO, written: Path, path: Path, size: int) -> None:
    """Move a finished temporary file to its name, durably."""
    file.flush()
    sync(file.fileno())
    file.close()
    move(written, path, size)


def move(written: Path, path: Path, size: int, *, lasting: bool = True) -> None:
    """Move a file of a size to its name, durably unless the caller syncs the directory."""
    try:
        written.replace(path)
    except FileNotFoundError:
        # A network file system may replay a rename that has been done.
        if not (path.exists() and path.stat().st_size == size):
            raise
    if lasting:
        sync_directory(path.parent)


def names(directory: Path) -> list[str]:
    """List a directory, sorted, each name once; empty where there is no directory."""
    try:
        with os.scandir(directory) as entries:
            return sorted({entry.name for entry in entries})
    except FileNotFoundError:
        return []


def reading(path: Path) -> BinaryIO:
    """Open a file to read it."""
    return path.open("rb")


def folders(directory: Path) -> list[str]:
    """List the folders in a directory, sorted; empty where there is no directory."""
    try:
        with os.scandir(directory) as entries:
            return sorted({entry.name for entry in entries if entry.is_dir()})
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_all(path: Path) -> bytes:
    """Return a whole small file."""
    with path.open("rb") as file:
        return file.read()


def read_from(path: Path, offset: int, size: int) -> bytes:
    """Return ``size`` bytes of a file from an offset; fewer where it ends before."""
    (data,) = pieces(path, [(offset, size)])
    return data


def pieces(path: Path, spans: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Yield pieces of a file, each given by its offset and size; the end may cut them short.

    The file is opened anew each time: network file systems promise fresh data to nobody
    else.
    """
    with path.open("rb", buffering=0) as file:
        end = os.fstat(file.fileno()).st_size
        for offset, size in spans:
            left = min(size, end - offset)
            yield _read(file, offset, left) if left > 0 else b""


def _read(file: FileIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size) or b""
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def read_last(path: Path, size: int) -> bytes:
    """Return the last bytes of a file."""
    with path.open("rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - size, 0))
        return file.read(size)


def blocks(path: Path, offset: int, size: int = BLOCK) -> Iterator[bytes]:
    """Yield what a file holds now from an offset on, in blocks."""
    with path.open("rb", buffering=0) as file:
        left = os.fstat(file.fileno()).st_size - offset
        file.seek(offset)
        while left > 0 and (block := file.read(min(size, left))):
            left -= len(block)
            yield block


def lines(path: Path) -> Iterator[bytes]:
    """Yield the complete lines of a file without their line feeds; none where it is gone."""
    rest = b""
    try:
        for block in blocks(path, 0):
            *whole, rest = (rest + block).split(b"\n")
            yield from whole
    except FileNotFoundError:
        return


def line_numbers(path: Path, offsets: Sequence[int]) -> list[int]:
    """Return the numbers, from 1, of the lines that begin at ascending offsets."""
    numbers = []
    number, reached = 1, 0
    with path.open("rb") as file:
        for offset in offsets:
            while reached < offset and (block := file.read(min(BLOCK, offset - reached))):
                number += block.count(b"\n")
                reached += len(block)
            numbers.append(number)
    return numbers


def size_of(path: Path) -> int:
    """Return a file's size, asking its server anew as opening a file does."""
    with path.open("rb", buffering=0) as file:
        return os.fstat(file.fileno()).st_size


def modified(path: Path) -> float:
    """Return when a file was written to last, by the clock of its file system."""
    return path.stat().st_mtime


def clock_of(directory: Path) -> float:
    """Ask a file system what time it is, by writing a file that is removed again."""
    with temporary(directory) as (file, path):
        file.write(b"\n")
        file.flush()
        return modified(path)


def after_fork(callback: Callable[[], None]) -> None:
    """Call back in every child that this process forks; nothing where none can be forked."""
    register = getattr(os, "register_at_fork", None)
    if register is not None:
        register(after_in_child=callback)


def is_hopeless(error: OSError) -> bool:
    """Tell whether trying again later cannot help."""
    return error.errno in _HOPELESS


def is_gone(error: OSError) -> bool:
    """Tell whether a file that was listed is not there any more, as its server may put it, too."""
    return isinstance(error, FileNotFoundError) or error.errno == errno.ESTALE


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Raise StoreError, which says ``what`` could not be done, for an error of the disk within."""
    try:
        yield
    except StoreError:
        raise  # one kind of it is an OSError, too
    except OSError as error:
        raise explain(error, what) from error


def explain(error: OSError, what: str) -> StoreError:
    """Say what could not be done, why, where, and what to do."""
    place = f" ({error.filename})" if error.filename else ""
    advice = _ADVICE.get(error.errno or 0, "check the file system")
    return StoreError(f"{what}: {error.strerror or error}{place}; {advice}, then run again")
