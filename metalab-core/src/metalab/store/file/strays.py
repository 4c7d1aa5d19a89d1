"""Temporary files: what a process writes aside before it has its name, and leaves if it dies.

They never count. Nothing in one says whose it is, so the only proof that nobody uses it any
more is that it was not written to for a day, by the clock of the file system itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.store.file import disk, layout
from metalab.store.maintenance import Flaw, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from metalab.store.file.layout import Folder

__all__ = ["find", "flaw", "remove"]

_STALE = 24 * 3600.0


def find(folder: Folder) -> list[Path]:
    """List the temporary files in an experiment's folder, and in the root beside it."""
    root = folder.collection.root
    beside = [] if root == folder.path else [root / name for name in disk.names(root)]
    return [
        path
        for path in [*beside, *layout.files_below(folder.path)]
        if path.name.startswith(disk.TEMPORARY)
    ]


def remove(found: Iterable[Path]) -> list[Path]:
    """Remove those that nobody has written to for a day; returns which. Raises StoreError."""
    clocks: dict[Path, float] = {}
    removed = []
    for path in found:
        try:
            if path.parent not in clocks:
                clocks[path.parent] = disk.clock_of(path.parent)
            if clocks[path.parent] - disk.modified(path) < _STALE:
                continue
        except FileNotFoundError:  # its owner has ended it
            continue
        except OSError as error:
            raise disk.explain(error, f"{path} cannot be removed") from error
        disk.remove(path)
        removed.append(path)
    return removed


def flaw(path: Path) -> Flaw:
    """Describe a temporary file."""
    text = (
        "a process that died left this behind, or one is writing it now; once it was not "
        "written to for a day, metalab fsck --remove-strays removes it"
    )
    return Flaw("stray", Severity.NOTE, str(path), text)
