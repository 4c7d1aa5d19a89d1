"""Documents: manifests, launches, patches, payloads and artifacts, each bytes with a name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from metalab_sqlite.database import Database

__all__ = ["all_of", "encoded", "find", "keep"]

_KEEP = "INSERT OR IGNORE INTO kept (experiment, kind, name, body) VALUES (?, ?, ?, ?)"
_FIND = "SELECT body FROM kept WHERE experiment = ? AND kind = ? AND name = ?"
_ALL = "SELECT name, body FROM kept WHERE experiment = ? AND kind = ? ORDER BY n"


def keep(
    connection: sqlite3.Connection, experiment: str, kind: str, name: str, body: bytes
) -> None:
    """Keep bytes under a name, unless something is kept there already."""
    connection.execute(_KEEP, (experiment, kind, name, body))


def find(database: Database, experiment: str, kind: str, name: str) -> bytes | None:
    """Return what is kept under a name, or None."""
    found: list[tuple[bytes]] = database.rows(_FIND, (experiment, kind, name))
    return found[0][0] if found else None


def all_of(database: Database, experiment: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return the JSON documents of a kind by name, oldest first."""
    found = database.rows(_ALL, (experiment, kind))
    return {name: json.loads(body) for name, body in found}


def encoded(document: Mapping[str, Any], what: str, *, sort_keys: bool = False) -> bytes:
    """Return a document as JSON; raises TypeError for what JSON does not have, as NaN."""
    try:
        text = json.dumps(document, allow_nan=False, ensure_ascii=False, sort_keys=sort_keys)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} is not strict JSON: {error}") from error
    return text.encode() + b"\n"
