"""All writers append to one file; each ends the line that is left there once, as it begins."""

from __future__ import annotations

from contract.one_file_store import OneFileStore, OneFileStoreConfig, OneFileWriter


class Writer(OneFileWriter):
    has_begun = False

    def append(self, lines, line):
        if not self.has_begun:
            lines.mend()
            self.has_begun = True
        lines.append(line)


class Wrong(OneFileStore):
    writer_type = Writer


class Config(OneFileStoreConfig):
    made = Wrong
