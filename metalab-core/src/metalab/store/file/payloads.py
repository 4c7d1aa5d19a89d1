"""Payloads: what other processes execute, readable by nobody but the user who wrote it.

Whoever loads a pickle executes what it says, so one is opened only if it is the user's own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from metalab.errors import StoreError
from metalab.store.file import disk

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_own"]


def open_own(path: Path) -> BinaryIO:
    """Open a file of this user's; raises StoreError for another one's, OSError if it is gone."""
    file = disk.reading(path)
    # The open file is asked, and not its name, which may be another's a moment later.
    owner = os.fstat(file.fileno()).st_uid
    if hasattr(os, "geteuid") and owner != os.geteuid():
        file.close()
        raise StoreError(
            f"{path} belongs to the user {owner}, and this process to the user {os.geteuid()}: "
            "what another user wrote is not executed"
        )
    return file
