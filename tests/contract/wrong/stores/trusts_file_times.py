"""Only files with a later time than the last reading's are read on."""

from __future__ import annotations

from contract.wrong.stores.files import Files, FilesConfig


class Wrong(Files):
    newest = 0

    def read(self, since=None):
        runs = self.get_working_directory() / "runs"
        newest = max((path.stat().st_mtime_ns for path in runs.glob("*.jsonl")), default=0)
        if since is not None and newest <= self.newest:
            return since
        self.newest = newest
        return super().read(since)


class Config(FilesConfig):
    made = Wrong
