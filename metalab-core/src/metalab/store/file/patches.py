"""Patches: what was changed in the checkout of a launch, named by the sha256 of its bytes."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from metalab.errors import StoreError
from metalab.store.file import disk
from metalab.store.names import file_name

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ENDING", "FOLDER", "file_of", "read"]

FOLDER = "patches"
ENDING = ".diff"


def file_of(name: str) -> str:
    """Return the name of a patch's file."""
    return f"{file_name(name)}{ENDING}"


def read(folder: Path, name: str) -> bytes | None:
    """Return a patch of an experiment's folder, None if it is not there; raises StoreError."""
    path = folder / FOLDER / file_of(name)
    try:
        content = disk.read_all(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk.explain(error, f"{path} cannot be read") from error
    if sha256(content).hexdigest() != name:
        raise StoreError(
            f"{path} is damaged: it is not what its name says; restore it from a copy, though no "
            "result depends on it"
        )
    return content
