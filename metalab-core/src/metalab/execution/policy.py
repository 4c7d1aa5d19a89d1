"""What a launch does about runs that fail."""

from __future__ import annotations

import threading

__all__ = ["FailurePolicy"]


class FailurePolicy:
    """Counts failed runs and says when a launch takes no further ones.

    ``on_failure`` is ``"continue"``, ``"stop"`` (at the first failure) or the number of
    failures at which to stop. Raises ValueError for anything else.
    """

    def __init__(self, on_failure: str | int = "continue") -> None:
        self.limit = _limit(on_failure)
        self._failures = 0
        self._lock = threading.Lock()

    def failed(self) -> bool:
        """Count one failed run; True once no further runs may be taken."""
        with self._lock:
            self._failures += 1
            return self.limit is not None and self._failures >= self.limit


def _limit(on_failure: str | int) -> int | None:
    if on_failure == "continue":
        return None
    if on_failure == "stop":
        return 1
    if isinstance(on_failure, int) and not isinstance(on_failure, bool) and on_failure > 0:
        return on_failure
    raise ValueError(
        f"on_failure={on_failure!r} is unknown: use 'continue', 'stop', or the number of "
        "failed runs (1 or more) at which to stop"
    )
