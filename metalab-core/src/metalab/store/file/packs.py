"""Packs: small artifacts of one writer, appended to a plain tar file."""

from __future__ import annotations

import re
import tarfile
import threading
import time
from typing import TYPE_CHECKING

import attrs

from metalab.store.file import disk
from metalab.store.file.segment import Segment
from metalab.store.names import part_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["LARGEST", "Pack", "member_at", "parse_pack_uri"]

LARGEST = 256 << 10
"""Artifacts of more bytes than this become files of their own."""

_BUFFER = 16 << 20
_uri = re.compile(r"packs/(?P<name>[a-z0-9%._~-]+\.tar)#(?P<offset>[0-9]+)\+(?P<size>[0-9]+)")


def parse_pack_uri(uri: str) -> tuple[str, int, int] | None:
    """Take ``packs/<file>.tar#<offset>+<size>`` apart; None if the text is no such uri."""
    found = _uri.fullmatch(uri)
    if found is None:
        return None
    return found["name"], int(found["offset"]), int(found["size"])


def member_at(path: Path, offset: int) -> str:
    """Return the name of the member whose bytes begin at an offset; empty if there is none."""
    try:
        header = disk.read_from(path, max(offset - tarfile.BLOCKSIZE, 0), tarfile.BLOCKSIZE)
        return tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").name
    except (FileNotFoundError, tarfile.HeaderError):
        return ""


@attrs.frozen
class _Member:
    uri: str
    name: str
    data: bytes


class Pack:
    """Appends artifacts to a tar file; safe to use from several threads.

    Members stay in memory until they are durable, so that they can be written again, to the
    next part, should the disk fail. From then until they are, they are *doubted*: no sync of
    another file says anything about them.
    """

    def __init__(self, writer: str, folder: Callable[[], Path], dirty: Callable[[], None]) -> None:
        self._writer = writer
        self._folder = folder
        self._dirty = dirty
        self._changed = threading.Condition()
        self._segment: Segment | None = None
        self._part = 0
        self._waiting: list[_Member] = []
        self._doubted = False
        self._moved: dict[str, str] = {}

    def add(self, name: str, data: bytes) -> str:
        """Append an artifact and return its uri.

        Raises OSError if two files in turn fail, StoreError if the disk has been failing for
        too long.
        """
        with self._changed:
            while self._waiting and sum(len(each.data) for each in self._waiting) > _BUFFER:
                self._dirty()
                self._changed.wait(1.0)
            try:
                uri = self._append(name, data)
            except OSError:
                uri = self._append(name, data)
            self._waiting.append(_Member(uri, name, data))
        self._dirty()
        return uri

    @property
    def has_moved(self) -> bool:
        """Whether any uri changed."""
        return bool(self._moved)

    def moved(self, uri: str) -> str:
        """Return the present uri of an artifact, which changes when a disk fails."""
        return self._moved.get(uri, uri)

    def sync(self, *, durable: bool) -> bool:
        """Make what was added durable; True if uris moved meanwhile. Raises OSError."""
        with self._changed:
            moved = self._doubted
            if moved:
                self._move()
            segment, count = self._segment, len(self._waiting)
            size = segment.size if segment is not None else 0
        if segment is None or not count:
            return moved
        try:
            if durable:
                segment.sync()
            segment.check(size)
        except OSError:
            with self._changed:
                self._doubted = True
            raise
        with self._changed:
            del self._waiting[:count]
            self._changed.notify_all()
        return moved

    def close(self) -> None:
        """Let go of the file."""
        with self._changed:
            self.abandon()

    def _append(self, name: str, data: bytes) -> str:
        if self._segment is None:
            file = self._folder() / f"{part_name(self._writer, self._part + 1)}.tar"
            self._part += 1
            self._segment = Segment.create(file)
        header = _header(name, len(data))
        start = self._segment.size + len(header)
        try:
            self._segment.append(header + data + bytes(-len(data) % tarfile.BLOCKSIZE))
        except OSError:
            self._doubted = bool(self._waiting)
            self.abandon()  # it may end in half a member, behind which no offset is right
            raise
        return f"packs/{self._segment.path.name}#{start}+{len(data)}"

    def abandon(self) -> None:
        """Let go of the file without a lock, which in a forked child may be held for ever."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _move(self) -> None:
        """Write all that is not durable to a new part; raises OSError, and is tried again then."""
        self.abandon()
        members = [attrs.evolve(m, uri=self._append(m.name, m.data)) for m in self._waiting]
        renamed = {m.uri: new.uri for m, new in zip(self._waiting, members, strict=True)}
        self._moved = {old: renamed.get(uri, uri) for old, uri in self._moved.items()} | renamed
        self._waiting = members
        self._doubted = False


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mtime = int(time.time())
    return info.tobuf(tarfile.PAX_FORMAT)
