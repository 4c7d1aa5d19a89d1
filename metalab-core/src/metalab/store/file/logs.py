"""Logs: the lines that runs log, in one file a writer, each line beginning with its run's id.

A line is ``<run> <epoch>.<attempt> <log> <text>``. Logs are not synced: they survive this
process, and a machine's death costs their last seconds.
"""

from __future__ import annotations

import re
import threading
from itertools import groupby, islice
from typing import TYPE_CHECKING

import attrs

from metalab.store.file import disk
from metalab.store.file.segment import Segment
from metalab.store.names import file_name, part_name, split_part
from metalab.store.reading import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["LogFile", "LogLines", "log_files", "read_logs"]

_BACKLOG = 1 << 20
_BATCH = 1024
_line = re.compile(rb"([0-9a-f]{32}) ([0-9]{1,9})\.([0-9]{1,9}) ([a-z0-9%._~-]+) (.*)", re.DOTALL)


class LogFile:
    """Appends to the log of one writer; safe to use from several threads.

    Its files are numbered on from the part ``after``.
    """

    def __init__(self, writer: str, folder: Callable[[], Path], after: int = 0) -> None:
        self._writer = writer
        self._folder = folder
        self._lock = threading.Lock()
        self._segment: Segment | None = None
        self._part = after
        self._backlog: list[bytes] = []

    def append(self, run_id: str, attempt: tuple[int, int], name: str, text: str) -> None:
        """Add lines of text to a run's log.

        While the disk fails, up to 1 MiB waits in memory; then OSError is raised.
        """
        head = f"{run_id} {attempt[0]}.{attempt[1]} {file_name(name)} ".encode()
        lines = text.encode("utf-8", "backslashreplace").removesuffix(b"\n").split(b"\n")
        self._extend([b"%b%b\n" % (head, line) for line in lines])

    def copy(self, lines: Iterable[LogLine]) -> None:
        """Add lines that were read from another log; raises OSError as append."""
        waiting = iter(lines)
        while batch := [_line_of(each) for each in islice(waiting, _BATCH)]:
            self._extend(batch)

    def _extend(self, lines: list[bytes]) -> None:
        with self._lock:
            self._backlog += lines
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


def log_files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each writer's logs in a folder, in the order written."""
    names = sorted((n for n in disk.names(folder) if n.endswith(".log")), key=split_part)
    grouped = groupby(names, key=lambda name: split_part(name)[0])
    return {writer: [folder / name for name in parts] for writer, parts in grouped}


@attrs.frozen
class LogLines:
    """The complete lines in a writer's files; what is no line of a log is left out."""

    paths: Sequence[Path]

    def __iter__(self) -> Iterator[LogLine]:
        """Read the files anew."""
        for path in self.paths:
            for line in disk.lines(path):
                found = _line.fullmatch(line)
                if found is not None:
                    run_id, epoch, attempt, name, text = found.groups()
                    yield LogLine(
                        run_id.decode(),
                        int(epoch),
                        int(attempt),
                        name.decode(),
                        text.decode("utf-8", "surrogateescape"),
                    )


def _line_of(line: LogLine) -> bytes:
    head = f"{line.run_id} {line.epoch}.{line.attempt} {line.name} "
    return head.encode() + line.text.encode("utf-8", "surrogateescape") + b"\n"


def read_logs(
    paths: Iterable[Path], run_id: str, attempt: tuple[int, int] | None
) -> dict[str, str]:
    """Return the logs of one attempt at a run, by name; without ``attempt``, of the latest."""
    found: dict[tuple[int, int], dict[bytes, list[bytes]]] = {}
    for path in paths:
        for line in _lines_of(path, f"{run_id} ".encode()):
            parts = _line.fullmatch(line)
            if parts is None:  # a machine died while it was written
                continue
            _, epoch, tries, name, text = parts.groups()
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
