"""A run's log: every line with its time, level and logger, written as it comes."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from metalab.capture.refusal import OVER, refusal
from metalab.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Logbook", "RunLogger", "level_of"]

_MESSAGE = logging.Formatter("%(message)s")  # adds the traceback and the stack, where there are


def level_of(level: object) -> int:
    """Return the number of a level given by name or number; ValueError lists the names."""
    if isinstance(level, int) and not isinstance(level, bool) and level > 0:
        return int(level)
    known = {name: number for name, number in logging.getLevelNamesMapping().items() if number > 0}
    if isinstance(level, str) and level.upper() in known:
        return known[level.upper()]
    names = ", ".join(sorted(known, key=lambda name: (known[name], name))).lower()
    raise ValueError(f"unknown level {level!r}; the levels are {names}, or a number above 0")


class Logbook:
    """Writes the records of logging to the log of one run, a line of text for each line.

    ``put`` takes a line, ``tell`` a message with its level and logger, ``note`` a warning of
    the run. ``levels`` holds the loggers that the run listens to, by name, with the least
    level it wants of each.
    """

    def __init__(
        self,
        put: Callable[[str], None],
        tell: Callable[[str, str, str], None],
        note: Callable[[str], None],
    ) -> None:
        self.levels: dict[str, int] = {}
        self.note = note
        self._put = put
        self._tell = tell
        self._lock = threading.Lock()
        self._closed = False

    def add(self, record: logging.LogRecord) -> None:
        """Write a record. Lines of one message stand together, each with the whole prefix.

        Raises CaptureError after the run's end, and what the writer raises.
        """
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        prefix = f"{stamp} [{record.levelname:<7}] [{record.name}] "
        message = _text_of(record)
        with self._lock:
            if self._closed:
                raise refusal("log", message, OVER)
            for line in message.splitlines() or [""]:
                self._put(prefix + line)
        self._tell(message, record.levelname, record.name)

    def add_or_warn(self, record: logging.LogRecord) -> None:
        """Write a record, as code does that does not expect logging to fail.

        Trouble with the store becomes a warning of the run.
        """
        try:
            self.add(record)
        except (OSError, StoreError) as error:
            self.note(f"the log lacks lines: {error}")

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            self._closed = True


def _text_of(record: logging.LogRecord) -> str:
    try:
        text = _MESSAGE.format(record)
    except Exception as error:  # noqa: BLE001  what __str__ of an argument raises is anybody's guess
        text = f"{record.msg} (its arguments do not fit: {type(error).__name__}: {error})"
    return text.encode(errors="backslashreplace").decode()


class RunLogger(logging.Logger):
    """A logger that writes to one run's log and nowhere else, whatever thread it is used in.

    It is not registered with ``logging``, so it is gone when the run is.
    """

    def __init__(self, name: str, logbook: Logbook) -> None:
        super().__init__(name, logging.DEBUG)
        self._logbook = logbook

    def getChild(self, suffix: str) -> RunLogger:  # noqa: N802  logging's name for it
        """Return a logger of that name below this one's, which writes to the same log."""
        child = RunLogger(f"{self.name}.{suffix}", self._logbook)
        child.setLevel(self.level)
        return child

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name for it
        """Write the record, then give it to the handlers that the operation has added."""
        self._logbook.add_or_warn(record)
        if self.handlers:
            super().callHandlers(record)

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  logging's name for it
        """Tell whether a level is kept now."""
        # Logging caches the answer, and clears that only for registered loggers.
        return level > self.manager.disable and level >= self.level
