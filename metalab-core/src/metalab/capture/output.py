"""What operations print: sys.stdout and sys.stderr, copied line by line to the run that prints."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO

from metalab.capture import scope

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Output", "subscribe", "unsubscribe"]

_STREAMS = ("stdout", "stderr")
_lock = threading.RLock()
_tees: dict[str, _Tee] = {}


class Output:
    """Cuts what one run prints into lines; ``put`` takes a line and the stream's name."""

    def __init__(self, put: Callable[[str, str], None]) -> None:
        self._put = put
        self._lock = threading.Lock()
        self._rest = dict.fromkeys(_STREAMS, "")

    def add(self, stream: str, text: str) -> None:
        """Take some text; what follows the last line end waits for its own."""
        with self._lock:
            *lines, self._rest[stream] = (self._rest[stream] + text).split("\n")
            for line in lines:
                self._write(stream, line)

    def close(self) -> None:
        """Write what no line end has followed."""
        with self._lock:
            for stream, rest in self._rest.items():
                if rest:
                    self._write(stream, rest)
                self._rest[stream] = ""

    def _write(self, stream: str, line: str) -> None:
        # A progress bar draws over itself: what a terminal would show is the last drawing.
        shown = line.removesuffix("\r").rpartition("\r")[2]
        self._put(shown.encode(errors="backslashreplace").decode(), stream)


def subscribe(run: object, output: Output) -> None:
    """Copy to ``output`` what the run prints from now on; the terminal shows it as before."""
    with _lock:
        for stream in _STREAMS:
            if stream not in _tees:
                _tees[stream] = _Tee(stream, getattr(sys, stream))
                setattr(sys, stream, _tees[stream])
            _tees[stream].readers[run] = output


def unsubscribe(run: object) -> None:
    """End what ``subscribe`` began; with the last run the streams are as they were."""
    with _lock:
        for stream, tee in tuple(_tees.items()):
            tee.readers.pop(run, None)
            if not tee.readers:
                del _tees[stream]
                if getattr(sys, stream) is tee:
                    setattr(sys, stream, tee.original)


class _Tee:
    """A stream that copies to the run whose thread writes, and is else the original one."""

    def __init__(self, stream: str, original: TextIO | None) -> None:
        self.original = original
        self.readers: dict[object, Output] = {}
        self._stream = stream

    def write(self, text: str) -> int:
        if self.original is not None:  # as it is in a program without a terminal
            self.original.write(text)
        if (output := self.readers.get(scope.owner())) is not None:
            output.add(self._stream, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)
