"""Logs: the lines that runs log, in one file a writer, each line beginning with its run's id.

A line is ``<run> <epoch>.<attempt> <log> <text>``. Logs are not synced: they survive this
process, and a machine's death costs their last seconds.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from metalab.store.file import disk
from metalab.store.file.segment import Segment
from metalab.store.names import file_name, part_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["LogFile", "read_logs"]

_BACKLOG = 1 << 20
_said = re.compile(rb"\S+ ([0-9]{1,9})\.([0-9]{1,9}) ([a-z0-9%._~-]+) (.*)", re.DOTALL)


class LogFile:
    """Appends to the log of one writer; safe to use from several threads."""

    def __init__(self, writer: str, folder: Callable[[], Path]) -> None:
        self._writer = writer
        self._folder = folder
        self._lock = threading.Lock()
        self._segment: Segment | None = None
        self._part = 0
        self._backlog: list[bytes] = []

    def append(self, run_id: str, attempt: tuple[int, int], name: str, text: str) -> None:
        """Add lines of text to a run's log.

        While the disk fails, up to 1 MiB waits in memory; then OSError is raised.
        """
        head = f"{run_id} {attempt[0]}.{attempt[1]} {file_name(name)} ".encode()
        lines = text.encode("utf-8", "backslashreplace").removesuffix(b"\n").split(b"\n")
        with self._lock:
            self._backlog += [b"%b%b\n" % (head, line) for line in lines]
            try:
                self._write()
            except OSError:
                if sum(map(len, self._backlog)) > _BACKLOG:
                    raise

    def flush(self) -> None:
        """Write what waits; raises OSError if the disk still fails."""
        with self._lock:
            self._write()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file without a lock, which in a forked child may be held for ever."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _write(self) -> None:
        if not self._backlog:
            return
        if self._segment is None:
            path = self._folder() / f"{part_name(self._writer, self._part + 1)}.log"
            self._part += 1
            self._segment = Segment.create(path)
        written, error = self._segment.append_all(self._backlog)
        del self._backlog[:written]
        if error is not None:
            self._segment.close()
            self._segment = None  # the rest goes to a new part: this one may end in half a line
            raise error


def read_logs(
    paths: Iterable[Path], run_id: str, attempt: tuple[int, int] | None
) -> dict[str, str]:
    """Return the logs of one attempt at a run, by name; without ``attempt``, of the latest."""
    found: dict[tuple[int, int], dict[bytes, list[bytes]]] = {}
    for path in paths:
        for line in _lines_of(path, f"{run_id} ".encode()):
            parts = _said.fullmatch(line)
            if parts is None:  # a machine died while it was written
                continue
            epoch, tries, name, text = parts.groups()
            logs = found.setdefault((int(epoch), int(tries)), {})
            logs.setdefault(name, []).append(text + b"\n")
    if attempt is None:
        attempt = max(found, default=(0, 0))
    return {
        name.decode(): b"".join(texts).decode("utf-8", "replace")
        for name, texts in found.get(attempt, {}).items()
    }


def _lines_of(path: Path, prefix: bytes) -> Iterable[bytes]:
    try:
        content = b"\n" + disk.read_all(path)
    except FileNotFoundError:
        return
    start = content.find(b"\n" + prefix)
    while start >= 0:
        end = content.find(b"\n", start + 1)
        if end < 0:  # the line is still being written
            return
        yield content[start + 1 : end]
        start = content.find(b"\n" + prefix, end)
