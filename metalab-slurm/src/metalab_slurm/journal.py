"""What was submitted, written down before it is, for a launch may die at any time."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Entry", "Journal"]


@attrs.frozen
class Entry:
    """One line: ``what`` is intend, submitted, failed or note; ``at`` is a unix time."""

    what: str
    at: float
    name: str | None = None
    array: int | None = None
    job_id: str | None = None
    words: str | None = None


class Journal:
    """The file ``submit.jsonl`` of a folder: lines are only appended, and are on disk on return.

    Several processes may append. A line that a crash tore is left out by ``read``.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "submit.jsonl"

    def intend(self, name: str, array: int) -> None:
        """Write down that an array of so many pilots is about to be submitted."""
        self._append(Entry("intend", time.time(), name, array=array))

    def submitted(self, name: str, job_id: str) -> None:
        """Write down the number that Slurm gave to what was intended."""
        self._append(Entry("submitted", time.time(), name, job_id=job_id))

    def failed(self, name: str, error: str) -> None:
        """Write down that Slurm did not accept what was intended, as far as is known."""
        self._append(Entry("failed", time.time(), name, words=error))

    def note(self, words: str) -> None:
        """Write down anything else that helps to understand what happened."""
        self._append(Entry("note", time.time(), words=words))

    def read(self) -> list[Entry]:
        """Return all lines in order; none if nothing was ever submitted."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [entry for line in lines if (entry := _entry(line))]

    def job_ids(self, name: str) -> list[str]:
        """Return the numbers of all arrays of a name that are known to be accepted."""
        return [each.job_id for each in self.read() if each.name == name and each.job_id]

    def _append(self, entry: Entry) -> None:
        document = attrs.asdict(entry, filter=lambda _, value: value is not None)
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            line = json.dumps(document).encode() + b"\n"
            # What a crash tore must not swallow this line, too.
            os.write(descriptor, line if _ends_whole(descriptor) else b"\n" + line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            _sync_folder(self.path.parent)


def _ends_whole(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _entry(line: bytes) -> Entry | None:
    known = {field.name for field in attrs.fields(Entry)}
    try:
        document = json.loads(line)
        return Entry(**{name: document[name] for name in known & document.keys()})
    except (ValueError, TypeError, AttributeError):  # torn, or no line of ours
        return None
