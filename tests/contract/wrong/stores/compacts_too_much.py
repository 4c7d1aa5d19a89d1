"""A compaction keeps nothing but the records that count."""

from __future__ import annotations

from contract.wrong.stores.files import Files, FilesConfig


class Wrong(Files):
    def compact(self, *, gzip=False, drop_attempts=False, dry_run=False):
        return super().compact(gzip=gzip, drop_attempts=True, dry_run=dry_run)


class Config(FilesConfig):
    made = Wrong
