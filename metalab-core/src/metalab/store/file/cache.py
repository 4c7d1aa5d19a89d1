"""The cache of a segment that has ended: a file beside it, deletable at any moment.

It holds what somebody made of the segment's lines, so as not to make it again. The segment
stays the truth: a file counts for the very lines whose checksums it names, and no other.
"""

from __future__ import annotations

import mmap
from hashlib import blake2b
from typing import TYPE_CHECKING

import attrs

from metalab.store.file import disk

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["CACHED", "FOLDER", "CacheFile", "remove_caches"]

FOLDER = "cache"
"""The folder of an experiment that has these files."""

CACHED = 1000
"""How many current lines a segment has at least to have one: fewer are decoded as quickly."""

_ENDING = ".columns"


@attrs.frozen
class CacheFile:
    """The file of one segment, for the lines of a key."""

    path: Path
    key: bytes

    @classmethod
    def of(cls, runs: Path, segment: str, sums: array[int]) -> CacheFile:
        """Return the file for lines with these checksums of a segment in a folder of segments."""
        return cls(_path(runs, segment), blake2b(sums, digest_size=16).digest())

    def load(self) -> memoryview | None:
        """Map the file into memory; None if it cannot be."""
        try:
            with self.path.open("rb") as file:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError):  # absent, unreadable, or empty: it is made anew
            return None

    def save(self, parts: Iterable[bytes]) -> None:
        """Write the file aside and put it in its place."""
        try:
            self.path.parent.mkdir(exist_ok=True)
            with disk.temporary(self.path.parent) as (file, written):
                file.writelines(parts)
                file.close()
                written.replace(self.path)
        except OSError:  # a folder of somebody else's, a full disk: it is made again next time
            return


def remove_caches(runs: Path, segments: Iterable[str]) -> None:
    """Remove the files of segments that are gone."""
    for segment in segments:
        disk.remove(_path(runs, segment))


def _path(runs: Path, segment: str) -> Path:
    return runs.parent / FOLDER / f"{segment}{_ENDING}"
