"""What a listing lacks is taken to be gone."""

from __future__ import annotations

from contract.wrong.stores.files import Files, FilesConfig


class Wrong(Files):
    def read(self, since=None):
        self._log = None
        return super().read()


class Config(FilesConfig):
    made = Wrong
