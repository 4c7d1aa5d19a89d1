"""Making the schema, and bringing an older one up to date.

Each migration leads from the version before to its own and runs in one transaction, under an
advisory lock, so that any number of processes may try at once.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from metalab_postgres import schema
from metalab_postgres.trouble import IndexRefused

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

__all__ = ["MIGRATIONS", "enter", "is_current", "lock", "migrate"]

MIGRATIONS: dict[int, LiteralString] = {
    1: schema.TABLES + schema.VIEWS + schema.INDEXES,
}
"""By the version that each leads to, the statements of it."""

_META = "SELECT key, value FROM meta WHERE key IN ('store_id', 'schema_version')"


def enter(cursor: Cursor[Any], name: str) -> None:
    """Let unqualified names mean the schema's, and no others, until the transaction ends."""
    cursor.execute(sql.SQL("SET LOCAL search_path TO {}, pg_temp").format(sql.Identifier(name)))


def lock(cursor: Cursor[Any], name: str, *, shared: bool = False) -> None:
    """Wait for the lock on a schema's contents, which is held until the transaction ends.

    ``shared`` with others that ask for it so.
    """
    kind = sql.SQL("_shared" if shared else "")
    query = sql.SQL("SELECT pg_advisory_xact_lock{}(hashtextextended(%s, 0))").format(kind)
    cursor.execute(query, [f"metalab.{name}"])


def is_current(cursor: Cursor[Any], name: str, store_id: str) -> bool:
    """Tell whether the schema is this store's and needs no migration.

    Raises IndexRefused if it is another store's, a newer metalab's or not metalab's at all.
    """
    return _state(cursor, name, store_id) == max(MIGRATIONS)


def migrate(connection: Connection[Any], name: str, store_id: str) -> None:
    """Make the schema or bring it up to date; raises IndexRefused as ``is_current``."""
    with connection.transaction(), connection.cursor() as cursor:
        lock(cursor, name)
        state = _state(cursor, name, store_id)
        if state == max(MIGRATIONS):
            return
        cursor.execute("SHOW server_encoding")
        encoding = (cursor.fetchone() or ("",))[0]
        if encoding != "UTF8":
            raise IndexRefused(
                f"the database is encoded in {encoding}, which cannot hold every name: make one "
                "with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )
        if state == 0:
            cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))
        enter(cursor, name)
        for step in sorted(MIGRATIONS):
            if step > state:
                cursor.execute(MIGRATIONS[step])
        values = {
            "store_id": store_id,
            "schema_version": max(MIGRATIONS),
            "created_by": version("metalab-postgres"),
        }
        for key, value in values.items():
            cursor.execute(
                "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = "
                "excluded.value",
                [key, Jsonb(value)],
            )


def _state(cursor: Cursor[Any], name: str, store_id: str) -> int:
    """Return the version of the schema, 0 where there is none or an empty one."""
    cursor.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
        [name],
    )
    tables = {row[0] for row in cursor.fetchall()}
    if not tables:
        return 0
    if "meta" not in tables:
        raise IndexRefused(
            f"the schema {name!r} holds tables that are not metalab's: name another with schema="
        )
    enter(cursor, name)
    cursor.execute(_META)
    known = dict(cursor.fetchall())
    if known.get("store_id") != store_id:
        raise IndexRefused(
            f"the schema {name!r} is the index of another store ({known.get('store_id')}, this is "
            f"{store_id}): name another with schema=, or drop it"
        )
    found = known.get("schema_version")
    if not isinstance(found, int) or found > max(MIGRATIONS):
        raise IndexRefused(
            f"the schema {name!r} is of version {found}, this metalab-postgres knows versions up "
            f"to {max(MIGRATIONS)}: upgrade it with pip install -U metalab-postgres"
        )
    return found
