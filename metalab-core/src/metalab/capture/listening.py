"""The log side of a run: its own logger, and what it listens to of other loggers and of print."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from metalab.capture import output, subscriptions
from metalab.capture.logs import Logbook, RunLogger, level_of
from metalab.capture.output import Output
from metalab.capture.refusal import OVER, checked_name, refusal
from metalab.errors import CaptureError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Listening"]


class Listening:
    """Keeps the logs of one run. ``put`` takes a line and the name of the log it belongs to."""

    def __init__(
        self,
        run: object,
        worker: str,
        put: Callable[[str, str], None],
        tell: Callable[[str, str, str], None],
        warn: Callable[[str], None],
    ) -> None:
        self._run = run
        self._put = put
        self._warn = warn
        self._logbook = Logbook(lambda line: put(line, "run"), tell, warn)
        self._output: Output | None = None
        self._lock = threading.RLock()
        self._is_over = False
        self.logger = RunLogger(f"metalab.{worker}" if worker else "metalab", self._logbook)

    def log(self, text: str, level: str | int) -> None:
        """Write a message; CaptureError if the level is unknown or the store does not take it."""
        number = _checked_level("log", text, level)
        record = self.logger.makeRecord(self.logger.name, number, "", 0, text, (), None)
        try:
            self._logbook.add(record)
        except (OSError, StoreError) as error:
            raise refusal("log", text, f"the store did not take it: {error}") from error

    def subscribe_logger(self, name: str, level: str | int) -> None:
        """Write from now on what the logger takes of that level or above."""
        if name != "":  # logging's name for the root of all loggers
            name = checked_name("subscribe_logger", name)
        number = _checked_level("subscribe_logger", name, level)
        with self._lock:
            self._check_open("subscribe_logger", name)
            subscriptions.subscribe(name, self._run, self._logbook, number)

    def unsubscribe_logger(self, name: str) -> None:
        """End what ``subscribe_logger`` began, if it did."""
        subscriptions.unsubscribe(name, self._run, self._logbook)

    def subscribe_output(self) -> None:
        """Copy what is printed from now on."""
        with self._lock:
            self._check_open("subscribe_output", "")
            if self._output is None:
                self._output = Output(self._put_printed)
                output.subscribe(self._run, self._output)

    def unsubscribe_output(self) -> None:
        """End what ``subscribe_output`` began, if it did."""
        with self._lock:
            if self._output is not None:
                output.unsubscribe(self._run)
                self._output.close()
                self._output = None

    def close(self) -> None:
        """Leave every logger and stream as it was, and take nothing more."""
        with self._lock:
            self._is_over = True
            for name in tuple(self._logbook.levels):
                self.unsubscribe_logger(name)
            self.unsubscribe_output()
        self._logbook.close()

    def _check_open(self, call: str, name: str) -> None:
        if self._is_over:
            raise refusal(call, name, OVER)

    def _put_printed(self, line: str, stream: str) -> None:
        # Whoever prints does not expect an error of the store.
        try:
            self._put(line, stream)
        except (OSError, StoreError) as error:
            self._warn(f"the log of {stream} lacks lines: {error}")


def _checked_level(call: str, name: str, level: str | int) -> int:
    try:
        return level_of(level)
    except ValueError as error:
        raise CaptureError(f"capture.{call}({name!r}, level={level!r}): {error}") from error
