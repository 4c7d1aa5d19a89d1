"""Hashing: the name of an artifact's content, found out while the disk is waited for."""

from __future__ import annotations

import hashlib
import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Hashing", "sha256", "sha256_of_file"]


def sha256(data: bytes) -> str:
    """Return the hash by which an artifact's content is known."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(file: IO[bytes]) -> str:
    """Return the hash of what is in a file, from its beginning on; raises OSError."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # files do


class Hashing:
    """Computes a hash in a thread of its own, or at the end where there can be none.

    Neither hashing nor syncing holds the interpreter's lock, so a megabyte is hashed in the
    time in which the disk takes it.
    """

    def __init__(self, compute: Callable[[], str]) -> None:
        self._compute = compute
        self._digest: str | None = None
        self._error: OSError | ValueError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # as many threads as may be, or the interpreter is ending
            self._run()

    def result(self) -> str:
        """Return the hash in hex, once it is there; raises OSError if that could not be read."""
        if self._digest is None and self._error is None:
            self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._digest is not None  # noqa: S101 - a thread that has ended has set one
        return self._digest

    def _run(self) -> None:
        try:
            self._digest = self._compute()
        except (OSError, ValueError) as error:  # whoever gives a file up closes it
            self._error = error
