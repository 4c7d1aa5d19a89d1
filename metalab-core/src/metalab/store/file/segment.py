"""One segment file: opened by one process, appended to, never touched again."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from metalab.store.file import disk

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Segment"]

_BATCH = 1 << 20


class Segment:
    """An open file that only grows. Every method raises OSError when the disk does.

    ``size`` bytes were written to it, ``good`` bytes are known to be durable.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.size = 0
        self.good = 0
        self._fd = fd
        self._named = False

    @classmethod
    def create(cls, path: Path) -> Segment:
        """Make the file; raises FileExistsError if the name is taken."""
        return cls(path, disk.create(path))

    def append(self, data: bytes) -> None:
        """Append data in one write; raises OSError, too, if not all of it was taken."""
        written = disk.write(self._fd, data)
        self.size += written
        if written != len(data):
            # The kernel gives the reason only to the next write, and there must be none.
            raise OSError(errno.ENOSPC, f"{written} of {len(data)} bytes fitted", str(self.path))

    def append_all(self, lines: list[bytes]) -> None:
        """Append many lines in few writes of whole lines."""
        batch: list[bytes] = []
        size = 0
        for line in lines:
            if batch and size + len(line) > _BATCH:
                self.append(b"".join(batch))
                batch, size = [], 0
            batch.append(line)
            size += len(line)
        if batch:
            self.append(b"".join(batch))

    def sync(self, size: int) -> None:
        """Return once the first ``size`` bytes, and the file's name, are durable."""
        disk.sync(self._fd)
        if not self._named:
            disk.sync_directory(self.path.parent)
            self._named = True
        self.good = max(self.good, size)

    def check(self, size: int) -> None:
        """Raise OSError if the name no longer leads to what was written here."""
        if not disk.is_ours(self._fd, self.path, size):
            raise OSError(
                errno.ESTALE, "the file was removed, replaced or cut by another", str(self.path)
            )

    def close(self) -> None:
        """Let go of the file."""
        disk.close(self._fd)

    def discard(self) -> None:
        """Remove the file: nothing in it was promised to anybody."""
        disk.close(self._fd)
        disk.remove(self.path)
