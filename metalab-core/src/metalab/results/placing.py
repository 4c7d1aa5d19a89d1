"""Placing files: what is written for others is there as a whole, or not at all."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["placed"]


@contextmanager
def placed(path: Path) -> Iterator[Path]:
    """Lend a path beside another for a file to be made at, which then takes the other's place.

    Nothing is left of it where that fails. What is there and no regular file, as ``/dev/stdout``
    or a pipe, is lent itself. Unlike those of tempfile it is as readable as any
    file of this user's: it is made to be handed on.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
