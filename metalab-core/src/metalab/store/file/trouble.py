"""A disk that fails: for how long that is borne, and when to try again."""

from __future__ import annotations

from time import monotonic

from metalab.store.file import disk

__all__ = ["Trouble"]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 10.0


class Trouble:
    """Counts failures since the last success; true while there are any."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._error: OSError | None = None
        self._deadline = 0.0
        self._tries = 0
        self.retry_at = 0.0

    def __bool__(self) -> bool:
        return self._error is not None

    def note(self, error: OSError, *, at_once: bool) -> None:
        """Count a failure; ``at_once``, it is no use to wait for better times."""
        now = monotonic()
        if self._error is None:
            self._deadline = now if at_once else now + self._timeout
        self._error = error
        self.retry_at = now + min(_FIRST_PAUSE * 2**self._tries, _LONGEST_PAUSE)
        self._tries += 1

    def clear(self) -> None:
        """Forget all failures: something was made durable."""
        self._error = None
        self._tries = 0

    def raise_if_hopeless(self, what: str) -> None:
        """Raise StoreError, which says what cannot be done, if the disk fails for too long."""
        if self._error is not None and monotonic() >= self._deadline:
            raise disk.explain(self._error, what) from self._error
