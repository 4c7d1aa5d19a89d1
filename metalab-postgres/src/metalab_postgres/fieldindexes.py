"""Indexes on the numbers of single params and metrics, made on demand and remembered."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from psycopg import Cursor

__all__ = ["index_statement", "metric_indexes", "remember_metric_index"]


def metric_indexes(cursor: Cursor[Any]) -> list[list[str]]:
    """Return the sections and names of the fields that have an index of their own."""
    cursor.execute("SELECT value FROM meta WHERE key = 'metric_indexes'")
    found = cursor.fetchone()
    return [] if found is None else list(found[0])


def remember_metric_index(cursor: Cursor[Any], fields: list[list[str]]) -> None:
    """Note which fields have an index, so that a rebuild makes them again."""
    cursor.execute(
        "INSERT INTO meta VALUES ('metric_indexes', %s) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [Jsonb(fields)],
    )


def index_statement(schema: str, section: str, name: str, *, concurrently: bool) -> sql.Composed:
    """Return what makes the index of a field, where there is none."""
    digest = blake2b(f"{section}.{name}".encode(), digest_size=8).hexdigest()
    return sql.SQL(
        "CREATE INDEX {how} IF NOT EXISTS {index} ON {runs} "
        "(exp, {num}({section}, {name}) DESC NULLS LAST)"
    ).format(
        how=sql.SQL("CONCURRENTLY" if concurrently else ""),
        index=sql.Identifier(f"runs_field_{digest}"),
        runs=sql.Identifier(schema, "runs"),
        num=sql.Identifier(schema, "num"),
        section=sql.Identifier(section),
        name=sql.Literal(name),
    )
