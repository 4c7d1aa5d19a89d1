"""A store whose writers all append to one file; whatever is no line it keeps in memory."""

from __future__ import annotations

import threading
from pathlib import Path

import attrs

from contract.memory_store import MemoryStore, MemoryStoreConfig, MemoryWriter
from metalab.errors import StoreError
from metalab.store.lines import parse_line
from metalab.store.names import experiment_folder
from metalab.store.reading import Damage

_appending = threading.Lock()


@attrs.frozen
class Lines:
    """The lines of an experiment, in its file."""

    path: Path

    def append(self, line: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _appending, self.path.open("ab") as file:
            file.write(line.rstrip(b"\n") + b"\n")

    def mend(self) -> None:
        """End the last line, of which a dead machine may have left a part."""
        with _appending:
            if not self.content().endswith(b"\n"):
                with self.path.open("ab") as file:
                    file.write(b"\n")

    def content(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b"\n"

    def __iter__(self):
        return (line + b"\n" for line in self.content().split(b"\n")[:-1] if line)


class OneFileWriter(MemoryWriter):
    def _add(self, line):
        if self._closed:
            raise StoreError("this writer is closed")
        self.append(self._shelf().lines, line)

    def append(self, lines: Lines, line: bytes) -> None:
        lines.mend()
        lines.append(line)


class OneFileStore(MemoryStore):
    writer_type = OneFileWriter

    @property
    def path(self) -> Path:
        return Path(self._config.place, f"{experiment_folder(self.experiment_id)}.jsonl")

    def _made(self):
        shelf = super()._made()
        shelf.lines = Lines(self.path)
        return shelf

    def read(self, since=None):
        lines = list(self._shelf().lines)
        log = self.log_type([line for line in lines if parse_line(line)])
        broken = [number for number, line in enumerate(lines, 1) if not parse_line(line)]
        log.damage = tuple(Damage(f"{self.path}:{each}", "is not whole") for each in broken)
        return log


class OneFileStoreConfig(MemoryStoreConfig):
    """Names a folder."""

    made = OneFileStore
