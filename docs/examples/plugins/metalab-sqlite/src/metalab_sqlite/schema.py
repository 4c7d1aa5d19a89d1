"""The tables of a store, and how its file is made: whole, or not at all.

Rows are only ever added, but for checkpoints and for what a writer says of itself. So a number
``n`` of a line, once read, says for ever what was there at that moment.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["APPLICATION", "VERSION", "make"]

APPLICATION = 0x6D746C62
"""SQLite's mark of whose file it is, so that nobody else's database is taken for a store."""
VERSION = 1
"""The version of the tables below, and the newest that this version reads."""

_TABLES = """
CREATE TABLE experiments (id TEXT PRIMARY KEY);

-- Who wrote, and in which process, so that others can tell whether it still lives.
CREATE TABLE writers (
    name TEXT PRIMARY KEY, experiment TEXT NOT NULL,
    executor TEXT NOT NULL, owner TEXT NOT NULL,
    boot TEXT, pid_ns TEXT, pid INTEGER NOT NULL, pid_start INTEGER,
    closed INTEGER NOT NULL DEFAULT 0, syncs INTEGER NOT NULL DEFAULT 0
);

-- The lines of metalab.store.lines; subject is the run, or the plan, that a line is about.
CREATE TABLE lines (
    n INTEGER PRIMARY KEY, experiment TEXT NOT NULL,
    subject TEXT NOT NULL, kind TEXT NOT NULL, line BLOB NOT NULL
);
CREATE INDEX lines_of_experiment ON lines (experiment);
CREATE INDEX lines_about ON lines (subject, kind);

CREATE TABLE logged (
    n INTEGER PRIMARY KEY, experiment TEXT NOT NULL, writer TEXT NOT NULL,
    run TEXT NOT NULL, epoch INTEGER NOT NULL, attempt INTEGER NOT NULL,
    name TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX logged_of_run ON logged (run);
CREATE INDEX logged_by ON logged (experiment, writer);

-- Manifests, launches, patches, payloads and artifacts: bytes with a name, kept once.
CREATE TABLE kept (
    n INTEGER PRIMARY KEY, experiment TEXT NOT NULL,
    kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
    UNIQUE (experiment, kind, name)
);

CREATE TABLE plans (
    experiment TEXT NOT NULL, plan TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (experiment, plan)
);
CREATE TABLE claims (
    experiment TEXT NOT NULL, plan TEXT NOT NULL,
    unit INTEGER NOT NULL, generation INTEGER NOT NULL,
    writer TEXT NOT NULL, launch TEXT NOT NULL,
    PRIMARY KEY (experiment, plan, unit, generation)
);

CREATE TABLE checkpoints (
    n INTEGER PRIMARY KEY, experiment TEXT NOT NULL, run TEXT NOT NULL,
    epoch INTEGER NOT NULL, attempt INTEGER NOT NULL,
    sha256 TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX checkpoints_of_run ON checkpoints (run);
"""


def make(path: Path) -> None:
    """Make the file of a store where there is none; whoever comes second finds the first's.

    It is its owner's alone: what is kept for other processes to execute is in it, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(
                f"BEGIN; PRAGMA application_id = {APPLICATION}; "
                f"PRAGMA user_version = {VERSION}; {_TABLES} COMMIT;"
            )
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else the file's name may be lost with the machine
    finally:
        os.close(folder)
