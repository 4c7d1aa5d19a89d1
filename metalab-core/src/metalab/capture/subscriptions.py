"""Other code's loggers that runs listen to: the one place that changes them and puts them back."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from metalab.capture import scope

if TYPE_CHECKING:
    from metalab.capture.logs import Logbook

__all__ = ["subscribe", "unsubscribe"]

_STRANGER = (
    "the log may lack lines of logger {!r}: several runs shared this process, and the lines came "
    "from a thread of which nothing tells whose it is; use capture.logger there, or start the "
    "thread with contextvars.copy_context().run"
)

_lock = threading.RLock()
_thread = threading.local()
_taps: dict[str, _Tap] = {}


def subscribe(name: str, run: object, logbook: Logbook, level: int) -> None:
    """Write to the run's log what the logger of that name (or one below it) takes from now on.

    The logger's own level is lowered as far as the runs that listen need; it returns to what
    it was with the last of them.
    """
    logger = logging.getLogger(name)
    with _lock:
        tap = _taps.get(logger.name)
        if tap is None:
            tap = _taps[logger.name] = _Tap(logger)
        logbook.levels[logger.name] = level
        tap.readers[run] = logbook
        tap.open_to(min(reader.levels[logger.name] for reader in tap.readers.values()))


def unsubscribe(name: str, run: object, logbook: Logbook) -> bool:
    """End what ``subscribe`` began; False if the run does not listen to that logger."""
    key = logging.getLogger(name).name
    with _lock:
        if logbook.levels.pop(key, None) is None:
            return False
        tap = _taps[key]
        del tap.readers[run]
        if tap.readers:
            tap.open_to(min(reader.levels[key] for reader in tap.readers.values()))
        else:
            del _taps[key]
            tap.restore()
        return True


class _Tap(logging.Handler):
    """Stands on one logger and gives each record to the run whose thread made it."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self.readers: dict[object, Logbook] = {}
        self._logger = logger
        self._own_level = logger.level
        self._wide_level = logger.getEffectiveLevel()
        self._set_level = logger.level
        logger.addHandler(self)

    def open_to(self, level: int) -> None:
        """Let the logger take records of that level, and all that it took before."""
        if self._logger.level == self._set_level:  # else somebody else has changed it since
            self._set_level = min(level, self._wide_level) or self._own_level
            self._logger.setLevel(self._set_level)

    def restore(self) -> None:
        """Leave the logger as it was found."""
        self._logger.removeHandler(self)
        self.close()
        if self._logger.level == self._set_level:
            self._logger.setLevel(self._own_level)

    def emit(self, record: logging.LogRecord) -> None:
        # What the store itself logs while it takes a line must not become a line of its own.
        if getattr(_thread, "is_writing", False):
            return
        _thread.is_writing = True
        try:
            self._deliver(record)
        finally:
            _thread.is_writing = False

    def _deliver(self, record: logging.LogRecord) -> None:
        run = scope.owner()
        if run is not None:
            logbook = self.readers.get(run)
            if logbook is not None and self._is_for(logbook, record):
                logbook.add_or_warn(record)
        elif not scope.is_main_thread():
            for logbook in tuple(self.readers.values()):
                if self._is_for(logbook, record):
                    logbook.note(_STRANGER.format(self._logger.name))

    def _is_for(self, logbook: Logbook, record: logging.LogRecord) -> bool:
        level = logbook.levels.get(self._logger.name)
        if level is None or record.levelno < level:
            return False
        # A run may listen to a logger and to one above it: the nearest one delivers.
        return not any(
            self._is_above(name) and _is_at_or_below(record.name, name) and record.levelno >= least
            for name, least in tuple(logbook.levels.items())
        )

    def _is_above(self, name: str) -> bool:
        return name != self._logger.name and _is_at_or_below(name, self._logger.name)


def _is_at_or_below(name: str, above: str) -> bool:
    return above in {"root", name} or name.startswith(above + ".")
