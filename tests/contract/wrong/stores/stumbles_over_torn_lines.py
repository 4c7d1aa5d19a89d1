"""A line that is not whole ends the reading of all."""

from __future__ import annotations

from contract.wrong.stores.files import Files, FilesConfig
from metalab.errors import StoreError
from metalab.store.lines import parse_line


class Wrong(Files):
    def read(self, since=None):
        for path in (self.get_working_directory() / "runs").glob("*.jsonl"):
            for line in path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n") or parse_line(line) is None:
                    raise StoreError(f"{path}: a line is not whole")
        return super().read(since)


class Config(FilesConfig):
    made = Wrong
