"""Beside a store that is closed to its reader: where that user keeps what is derived from it.

It is an ordinary store in the user's data folder, named by the identity of the one it belongs
to, so that it is found for a copy as well. It holds derived values and nothing else.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from metalab.errors import StoreError
from metalab.store.file.layout import MARKER, read_json

if TYPE_CHECKING:
    from metalab.store.file.layout import Folder

__all__ = ["is_closed", "root_beside"]


def is_closed(folder: Folder) -> bool:
    """Tell whether nothing can be written to an experiment's folder."""
    paths = (folder.path, folder.path / "runs")
    return any(path.exists() and not os.access(path, os.W_OK | os.X_OK) for path in paths)


def root_beside(folder: Folder) -> Path:
    """Return the root of the store beside the one of an experiment's folder; it need not exist."""
    return _data_folder() / "metalab" / "derived" / _identity(folder)


def _data_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def _identity(folder: Folder) -> str:
    try:
        named = read_json(folder.collection.root / MARKER).get("store_id")
    except StoreError:  # a folder that was copied without its collection, say
        named = None
    if isinstance(named, str) and named.isalnum():
        return named
    return sha256(os.fsencode(folder.path.resolve())).hexdigest()[:32]
