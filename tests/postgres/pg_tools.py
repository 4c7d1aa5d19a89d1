"""What the tests of the index share: stores of given lines, and what an index has of them."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import psycopg

from core.store_tools import EXPERIMENT, made, run_id, store_at
from metalab.store.document import record_line
from metalab.store.lines import Stamp
from metalab_postgres import trouble
from metalab_postgres.connection import link_to
from metalab_postgres.index import PostgresIndex

__all__ = [
    "EXPERIMENT",
    "contents",
    "fresh_trouble",
    "index_of",
    "line",
    "made",
    "run_id",
    "runs_of",
    "store_at",
]

_TABLES = ("runs", "attempts", "losses", "forgotten", "releases", "series", "derived", "artifacts")


def line(number=0, seq=0, writer="w", *, record=None, **fields):
    """Return the line of a record; further fields are the record's."""
    record = made(number, **fields) if record is None else record
    return record_line(record, Stamp(writer, 1, seq, "launch"))


def runs_of(store):
    """Return the folder of a store's segments, made."""
    runs = store.get_working_directory() / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    experiment = store.get_working_directory() / "experiment.json"
    if not experiment.exists():
        experiment.write_text(f'{{"format": 1, "id": "{EXPERIMENT}"}}')
    return runs


def index_of(dsn, store, schema="metalab"):
    """Return the index of a file store in a database."""
    return PostgresIndex(dsn, store.root, schema=schema)


def contents(index):
    """Return all rows about runs, without the pointers, which may be to any of equal lines."""
    found = {}
    with index.reading() as cursor:
        for table in _TABLES:
            rows = cursor.execute(
                f"SELECT to_jsonb(t) - '{{seg,off,len,exp}}'::text[] FROM {table} t"
            )
            found[table] = sorted((row[0] for row in rows), key=repr)
    return found


@contextmanager
def broken_after(monkeypatch, statements):
    """Let the connection be lost once, at the statement after so many of this process."""
    left = [statements]
    real = psycopg.Cursor.execute

    def execute(cursor, *args, **options):
        left[0] -= 1
        if left[0] == -1:
            cursor.connection.close()
            raise psycopg.OperationalError("the connection is lost")
        return real(cursor, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", execute)
        yield left


def fresh_trouble():
    """Let trouble that was told before be told again."""
    trouble._told.clear()


def close(index):
    """Close this process's connection."""
    link_to(index.config.dsn).close()


def warnings(caplog):
    """Return the warnings about the index."""
    return [
        each.message
        for each in caplog.records
        if each.levelno == logging.WARNING and each.name.startswith("metalab_postgres")
    ]
