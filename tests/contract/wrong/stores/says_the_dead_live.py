"""A writer that was killed counts as one at work for good."""

from __future__ import annotations

from contract.wrong.stores.files import Files, FilesConfig


class Wrong(Files):
    def ending(self, writer):
        ending = super().ending(writer)
        return ending if ending is not None and ending.closed else None


class Config(FilesConfig):
    made = Wrong
