"""One segment file: opened by one process, appended to, never touched again."""

from __future__ import annotations

import errno
import os
from itertools import accumulate
from typing import TYPE_CHECKING

from metalab.store.file import disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Segment"]

_BATCH = 1 << 20


class Segment:
    """An open file that only grows.

    ``size`` bytes of whole lines were written to it, ``good`` bytes are known to be durable.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.size = 0
        self.good = 0
        self.fd = fd
        self._opened = os.fstat(fd)  # while it is open, no other file is the same
        self._named = False

    @classmethod
    def create(cls, path: Path) -> Segment:
        """Make the file; raises FileExistsError if the name is taken."""
        return cls(path, disk.create(path))

    def append(self, data: bytes) -> None:
        """Append data in one write; raises OSError, too, if not all of it was taken."""
        written = disk.write(self.fd, data)
        if written != len(data):
            raise self.cut_short(written, len(data))
        self.size += written

    def append_all(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Append lines in few writes: how many went in whole, and what stopped them if not all."""
        done = 0
        for batch in _batches(lines):
            data = b"".join(batch)
            try:
                written = disk.write(self.fd, data)
            except OSError as error:
                return done, error
            if written != len(data):
                whole = [end for end in accumulate(map(len, batch)) if end <= written]
                self.size += max(whole, default=0)
                return done + len(whole), self.cut_short(written, len(data))
            self.size += written
            done += len(batch)
        return done, None

    def sync(self) -> None:
        """Return once what was written, and the file's name, are durable; OSError if not."""
        disk.sync(self.fd)
        if not self._named:
            disk.sync_directory(self.path.parent)
            self._named = True

    def check(self, size: int) -> None:
        """Raise OSError if the name no longer leads to the bytes written here."""
        if not disk.is_ours(self._opened, self.path, size):
            raise OSError(
                errno.ESTALE, "the file was removed, replaced or cut by another", str(self.path)
            )

    def touch(self) -> None:
        """Renew the file's time, to show that its writer lives."""
        disk.touch(self.fd)

    def close(self) -> None:
        """Let go of the file."""
        disk.close(self.fd)

    def discard(self) -> None:
        """Remove the file: nothing in it was promised to anybody."""
        disk.close(self.fd)
        disk.remove(self.path)

    def cut_short(self, written: int, size: int) -> OSError:
        """Return what to raise where fewer bytes were taken than were given."""
        # The kernel gives the reason only to the next write, and there must be none.
        return OSError(errno.ENOSPC, f"only {written} of {size} bytes fitted", str(self.path))


def _batches(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    start = size = 0
    for number, line in enumerate(lines):
        if number > start and size + len(line) > _BATCH:
            yield lines[start:number]
            start, size = number, 0
        size += len(line)
    if len(lines) > start:
        yield lines[start:]
