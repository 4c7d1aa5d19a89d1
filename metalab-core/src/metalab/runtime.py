"""Runtime: what an operation may ask of the place where it runs."""

from __future__ import annotations

import logging
import math
import pickle
import threading
import time
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from metalab.checkpoints import MemoryCheckpoints
from metalab.errors import CancelledError, PayloadError, RunTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from metalab.checkpoints import Checkpoints

__all__ = ["CancellationToken", "Runtime"]


class CancellationToken:
    """Tells whoever holds it that the work it belongs to is no longer wanted."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Ask for an end; it cannot be taken back."""
        self._event.set()

    def __repr__(self) -> str:
        return f"CancellationToken(cancelled={self.cancelled})"


class Runtime:
    """Logger, scratch space, metadata, time limit and checkpoints of one run.

    ``Runtime()`` works alone, to call an operation with. ``deadline``, when the run's own time
    limit passes, and ``until``, when the place where it executes ends, are times of
    ``time.monotonic``. ``checkpoints`` opens where checkpoints are kept, once that is wanted: in
    memory unless given.
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        metadata: Mapping[str, Any] | None = None,
        token: CancellationToken | None = None,
        deadline: float | None = None,
        checkpoints: Callable[[], Checkpoints] = MemoryCheckpoints,
        until: float | None = None,
    ) -> None:
        self._logger = logger
        self._given_metadata = metadata
        self._metadata: dict[str, Any] | None = None
        self._token = token
        self._deadline = math.inf if deadline is None else deadline
        self._until = math.inf if until is None else until
        self._open_checkpoints = checkpoints
        self._checkpoints: Checkpoints | None = None
        self._lock = threading.Lock()
        self._scratch: TemporaryDirectory[str] | None = None
        self._is_over = False

    @property
    def logger(self) -> logging.Logger:
        """The run's logger."""
        return logging.getLogger("metalab.run") if self._logger is None else self._logger

    @property
    def metadata(self) -> dict[str, Any]:
        """The experiment's metadata, in a copy of this run's own."""
        if self._metadata is None:
            self._metadata = deepcopy(dict(self._given_metadata or {}))
        return self._metadata

    @property
    def scratch_dir(self) -> Path:
        """An empty folder on local disk, made when first asked for and removed after the run."""
        with self._lock:
            if self._is_over:
                raise RuntimeError("the run has ended, and its scratch folder with it")
            if self._scratch is None:
                self._scratch = TemporaryDirectory(prefix="metalab-", ignore_cleanup_errors=True)
            return Path(self._scratch.name)

    @property
    def should_stop(self) -> bool:
        """Whether the run was cancelled, or its time is up, or that of the place it executes in."""
        return (self._token is not None and self._token.cancelled) or self.remaining() <= 0

    def check_cancelled(self) -> None:
        """Raise CancelledError if the run was cancelled or its place's time is up.

        Raises RunTimeoutError if the run's own time limit has passed.
        """
        if self._token is not None and self._token.cancelled:
            raise CancelledError("the run was cancelled")
        if self.remaining() > 0:
            return
        if self._deadline <= self._until:
            raise RunTimeoutError("the run's time limit has passed")
        raise CancelledError("the time of the place where the run executes is up")

    def remaining(self) -> float:
        """Return the seconds left, at least 0: before the time limit, or the place's end if that
        is sooner; infinity without either.
        """
        end = min(self._deadline, self._until)
        return end if end == math.inf else max(0.0, end - time.monotonic())

    def checkpoint(self, obj: Any) -> None:
        """Keep an object, by pickle, for a later attempt at this run; it replaces the last one.

        It is durable when this returns. Raises StoreError if it cannot be kept, and what
        pickle raises for an object that it cannot take.
        """
        data = pickle.dumps(obj, protocol=pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._opened().keep(data)

    def restore(self) -> Any:
        """Return a copy of the last checkpoint of this run or an earlier attempt at it, or None.

        Raises PayloadError if it is another user's, or cannot be read by the present code.
        """
        with self._lock:
            data = self._opened().latest()
        if data is None:
            return None
        try:
            return pickle.loads(data)  # noqa: S301  written by the run's own operation, and this user
        except Exception as error:  # what an unpickled class raises is anybody's guess
            raise PayloadError(
                f"the run's checkpoint cannot be read ({type(error).__name__}: {error}): the code "
                "has changed since it was kept; forget the run (metalab rm) to begin it anew"
            ) from error

    @property
    def checkpoints(self) -> Checkpoints | None:
        """Where the run's checkpoints are kept, if it has kept or asked for any."""
        return self._checkpoints

    def _opened(self) -> Checkpoints:
        if self._is_over:
            raise RuntimeError("the run has ended, and what it would go on from is of no use")
        if self._checkpoints is None:
            self._checkpoints = self._open_checkpoints()
        return self._checkpoints

    def close(self) -> None:
        """Remove the scratch folder; closing again does nothing."""
        with self._lock:
            self._is_over = True
            scratch, self._scratch = self._scratch, None
        if scratch is not None:
            scratch.cleanup()

    def __enter__(self) -> Self:
        """Return the runtime itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the runtime."""
        self.close()
