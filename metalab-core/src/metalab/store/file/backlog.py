"""The lines that are not durable yet, and the file that holds them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from metalab.store.file import disk

if TYPE_CHECKING:
    from metalab.store.file.segment import Segment
    from metalab.store.writing import Acknowledge

__all__ = ["Backlog", "Parts", "Rewrite"]

_log = logging.getLogger(__name__)

Rewrite = Callable[[bytes], bytes]


@attrs.frozen
class Parts:
    """Makes what a journal needs: its next file, and that file's last line.

    ``create(part, prev_good)`` returns a new segment that holds its ``open`` line;
    ``closing(part, lines)`` returns the ``close`` line. ``prepare()`` makes durable what
    lines refer to, and may ask for the lines that wait to be rewritten.
    """

    create: Callable[[int, int | None], Segment]
    closing: Callable[[int, int], bytes]
    prepare: Callable[[], Rewrite | None]


class Backlog:
    """Lines in order, the first of them in the present segment; all methods want a lock held.

    A segment that failed, or is full, is *retired*: it takes no more lines, and ``mend``
    opens the next part once those that it holds for certain are settled. A full one gets its
    last line only then: without a next part that line says that the writer is over. Methods
    that write raise OSError; the lines stay.
    """

    def __init__(self, parts: Parts, roll: int) -> None:
        self.segment: Segment | None = None
        self.part = 0
        self.settled = 0
        self.size = 0
        # Two lists, not one of pairs: pairs would cost the garbage collector's time.
        self.lines: list[bytes] = []
        self._waiting: list[Acknowledge | None] = []
        self._parts = parts
        self._roll = roll
        self._retired_with: int | None = None
        self._is_full = False
        self._settled_before = 0

    @property
    def is_retired(self) -> bool:
        """Whether the present segment takes no more lines."""
        return self._retired_with is not None

    @property
    def held(self) -> int:
        """How many of the lines, counted from the first, the segment holds."""
        if self._retired_with is not None:
            return self._retired_with
        return len(self.lines) if self.segment is not None else 0

    def add(self, line: bytes, acknowledged: Acknowledge | None) -> None:
        """Take a line and write it, unless the segment is retired."""
        self.lines.append(line)
        self._waiting.append(acknowledged)
        length = len(line)
        self.size += length
        segment = self.segment
        if segment is None or self._retired_with is not None:
            if self._retired_with is None:
                self.mend()
            return
        try:
            # As segment.append does, without a call: 0.1 us of the 0.9 that a line costs here.
            written = disk.write(segment.fd, line)
            if written != length:
                raise segment.cut_short(written, length)
        except OSError:
            self._retired_with = len(self.lines) - 1
            raise
        segment.size += written

    def distrust(self) -> None:
        """Retire the segment: what it holds may not be what was written."""
        if self.segment is not None:
            self._retired_with = 0
            self._is_full = False

    def rewrite(self, rewrite: Rewrite) -> None:
        """Replace the lines, which all go to the next part."""
        self.lines = [rewrite(line) for line in self.lines]
        self.size = sum(map(len, self.lines))
        self.distrust()

    def mend(self) -> None:
        """See to it that a segment holds the first lines, if there are any."""
        if self.segment is not None and self.segment.size >= self._roll and not self.is_retired:
            self._retired_with = len(self.lines)
            self._is_full = True
        if self.held == 0 and self.lines:
            self._open_next()

    def settle(self, count: int) -> list[Acknowledge | None]:
        """Drop the first lines, which are durable; returns whom to tell."""
        waiting = self._waiting[:count]
        if count == len(self.lines):
            self.lines, self._waiting, self.size = [], [], 0
        else:
            self.size -= sum(map(len, self.lines[:count]))
            del self.lines[:count], self._waiting[:count]
        self.settled += count
        if self._retired_with is not None:
            self._retired_with -= count
        return waiting

    def end(self) -> None:
        """Write the last line, if all before it are durable, and let go of the file."""
        if self.segment is None:
            return
        if not self.lines and (self._is_full or not self.is_retired):
            self._end(self.segment)
        self.segment.close()
        self.segment = None

    def _end(self, segment: Segment) -> None:
        """Write the last line of a segment, all of whose lines are settled."""
        lines = 1 + self.settled - self._settled_before
        try:
            segment.append(self._parts.closing(self.part, lines))
        except OSError as error:
            # All lines are durable; without this one readers ask once more, that is all.
            _log.debug("%s could not be ended: %s", segment.path, error)

    def _open_next(self) -> None:
        last = self.segment
        try:
            segment = self._parts.create(self.part + 1, None if last is None else last.good)
        except FileExistsError:
            self.part += 1  # a network file system may have made it and lost the answer
            raise
        held, error = segment.append_all(self.lines)
        if error is not None and not held:
            segment.discard()
            raise error
        if last is not None:
            if self._is_full:
                self._end(last)
            last.close()
        self._is_full = False
        self.segment = segment
        self.part += 1
        self._settled_before = self.settled
        # What did not fit is no reason to give up what did: files may have a largest size.
        self._retired_with = None if error is None else held
