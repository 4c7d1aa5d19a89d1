"""The memory of file hashes: an append-only file in the user's cache directory.

It only saves time. Whatever is wrong with it, hashes are computed instead: a damaged line
is skipped, a place that cannot be written is not written to.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

__all__ = ["cache_file", "cached_hash", "remember_hash"]

_MAX_BYTES = 4 * 2**20
_LINE = re.compile(rb"\[(\d+),(\d+),(\d+),(\d+),(\d+),\"([0-9a-f]{64})\"\]")
# Where the system has no change time, a file can be altered without a trace.
_HAS_CHANGE_TIME = os.name != "nt"

# What each file held when it was last read, and how much of it was read.
_known: dict[Path, dict[tuple[int, ...], str]] = {}


def cache_file() -> Path:
    """Return where hashes are remembered, by the platform's custom."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "metalab", "file-hashes.jsonl")


def cached_hash(state: tuple[int, ...]) -> str | None:
    """Return the hash of the file of this state (device, inode, size, mtime, ctime), if known."""
    return _entries(cache_file()).get(state) if _HAS_CHANGE_TIME else None


def remember_hash(state: tuple[int, ...], digest: str) -> None:
    """Keep the hash of the file of this state, here and for later processes."""
    if not _HAS_CHANGE_TIME:
        return
    path = cache_file()
    _entries(path)[state] = digest
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _append(path, f'[{",".join(map(str, state))},"{digest}"]\n'.encode("ascii"))
    except OSError:  # a cache that cannot be written is no reason to stop
        return


def _entries(path: Path) -> dict[tuple[int, ...], str]:
    entries = _known.get(path)
    if entries is None:
        entries = _known[path] = _read(path)
    return entries


def _read(path: Path) -> dict[tuple[int, ...], str]:
    try:
        data = path.read_bytes()
    except OSError:  # as in remember_hash
        return {}
    entries = {}
    for line in data.splitlines():
        if found := _LINE.fullmatch(line):
            *state, digest = found.groups()
            entries[tuple(map(int, state))] = digest.decode("ascii")
    return entries


def _append(path: Path, line: bytes) -> None:
    # One write each: lines of several processes do not mix.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
    if size > _MAX_BYTES:
        _halve(path)


def _halve(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_bytes(b"".join(lines[len(lines) // 2 :]))
    aside.replace(path)
