"""Snapshots: a copy of the user's own modules, so that what begins later imports what is now."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from metalab.errors import PayloadError, StoreError
from metalab.transport import is_found, own_modules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["take_snapshot"]

_MOST_BYTES = 100 << 20
_LEFT_OUT = ("__pycache__", ".*", "*.pyc", "node_modules")


def take_snapshot(folder: Path) -> str:
    """Copy the modules and packages that this process has imported of the user's own into a
    folder, whole, and return the entry of ``sys.path`` by which they are found.

    Hidden files are left out. Raises PayloadError where they are over 100 MB in all, as where
    a package holds data, and StoreError if they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in _sources():
            _check_size(source)
            target = folder / source.name
            if source.is_dir():
                shutil.copytree(
                    source,
                    target,
                    ignore=shutil.ignore_patterns(*_LEFT_OUT),
                    dirs_exist_ok=True,
                )
            else:
                shutil.copy2(source, target)
    except (OSError, shutil.Error) as error:
        raise StoreError(f"no snapshot of the sources can be made: {error}") from error
    return str(folder)


def _sources() -> Iterator[Path]:
    """Yield the file or the folder of each module that others can import, outermost ones alone."""
    for module in own_modules():
        if "." not in module.__name__ and is_found(module):
            yield from _places(module)


def _places(module: ModuleType) -> list[Path]:
    locations = getattr(module, "__path__", None)
    if locations is not None:
        return [Path(each) for each in locations]
    return [Path(str(module.__file__))]


def _check_size(source: Path) -> None:
    files = (path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    total = sum(path.stat().st_size for path in files)
    if total > _MOST_BYTES:
        raise PayloadError(
            f"{source} holds {total >> 20:,} MB, too much for a snapshot of the sources; keep "
            "data outside of packages, or submit without a snapshot"
        )
