"""Fresh names: files whose data is durable, in directories that have not been synced since."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from metalab.store.file import disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["FreshNames"]


class FreshNames:
    """Remembers directories until their names are durable; safe to use from several threads.

    One sync serves all names that a directory was given meanwhile, and nobody waits for it
    but the commit of the lines that refer to them.
    """

    def __init__(self, dirty: Callable[[], None]) -> None:
        self._dirty = dirty
        self._lock = threading.Lock()
        self._directories: set[Path] = set()

    def add(self, directory: Path) -> None:
        """Note that a file in the directory was given its name."""
        with self._lock:
            self._directories.add(directory)
        self._dirty()

    def sync(self) -> None:
        """Return once all names noted so far are durable; raises OSError, and knows them still."""
        with self._lock:
            waiting, self._directories = self._directories, set()
        try:
            for directory in tuple(waiting):
                # Whoever removed a directory has removed its files.
                with contextlib.suppress(FileNotFoundError):
                    disk.sync_directory(directory)
                waiting.remove(directory)
        finally:
            with self._lock:
                self._directories |= waiting
