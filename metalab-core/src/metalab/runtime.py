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

from metalab.errors import CancelledError, RunTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from types import TracebackType

__all__ = ["CancellationToken", "Runtime"]

_STATE = "state"


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

    ``Runtime()`` works alone, to call an operation with. ``deadline`` is a time of
    ``time.monotonic``; ``checkpoints`` keeps bytes by name, in memory unless given.
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        metadata: Mapping[str, Any] | None = None,
        token: CancellationToken | None = None,
        deadline: float | None = None,
        checkpoints: MutableMapping[str, bytes] | None = None,
    ) -> None:
        self._logger = logger
        self._given_metadata = metadata
        self._metadata: dict[str, Any] | None = None
        self._token = token
        self._deadline = deadline
        self._checkpoints: MutableMapping[str, bytes] = {} if checkpoints is None else checkpoints
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
        """Whether the run was cancelled or its time is up."""
        return (self._token is not None and self._token.cancelled) or self.remaining() <= 0

    def check_cancelled(self) -> None:
        """Raise CancelledError if the run was cancelled, RunTimeoutError if its time is up."""
        if self._token is not None and self._token.cancelled:
            raise CancelledError("the run was cancelled")
        if self.remaining() <= 0:
            raise RunTimeoutError("the run's time limit has passed")

    def remaining(self) -> float:
        """Return the seconds before the time limit, at least 0; infinity without a limit."""
        if self._deadline is None:
            return math.inf
        return max(0.0, self._deadline - time.monotonic())

    def checkpoint(self, obj: Any) -> None:
        """Keep an object, by pickle, for a later attempt at this run; it replaces the last one."""
        self._checkpoints[_STATE] = pickle.dumps(obj, protocol=pickle.HIGHEST_PROTOCOL)

    def restore(self) -> Any:
        """Return a copy of the last checkpoint of this run or an earlier attempt at it, or None."""
        try:
            data = self._checkpoints[_STATE]
        except KeyError:
            return None
        return pickle.loads(data)  # noqa: S301  written by the run's own operation

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
