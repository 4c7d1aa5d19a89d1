"""Hashing: the name of an artifact's content, found out while the disk is waited for."""

from __future__ import annotations

import hashlib
import threading

__all__ = ["Hashing", "sha256"]


def sha256(data: bytes) -> str:
    """Return the hash by which an artifact's content is known."""
    return hashlib.sha256(data).hexdigest()


class Hashing:
    """Computes a sha256 in a thread of its own, or at the end where there can be none.

    Neither hashing nor syncing holds the interpreter's lock, so a megabyte is hashed in the
    time in which the disk takes it.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._digest: str | None = None
        self._thread = threading.Thread(target=self._compute, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # as many threads as may be, or the interpreter is ending
            self._compute()

    def result(self) -> str:
        """Return the hash in hex, once it is there."""
        if self._digest is None:
            self._thread.join()
        assert self._digest is not None  # noqa: S101 - a thread that has ended has set it
        return self._digest

    def _compute(self) -> None:
        self._digest = sha256(self._data)
