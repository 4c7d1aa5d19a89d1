"""Processes that a test starts on its store, hears, and kills."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from metalab.store.config import StoreConfig

__all__ = ["Child"]

_MODULE = "metalab.testing.store.worker"
_PATIENCE = 120  # seconds


class Child:
    """A process that does one thing to a store; it is gone at the end of a ``with``."""

    def __init__(self, config: StoreConfig, action: str) -> None:
        place = config.pickled().hex()
        told = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(  # noqa: S603  a module of ours
            [sys.executable, "-m", _MODULE, action],
            env=told,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        # Whoever waits for a process that hangs is told that it has ended.
        self._patience = threading.Timer(_PATIENCE, self._process.kill)
        self._patience.start()
        self.tell(place)

    def tell(self, line: str = "") -> None:
        """Send the process a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def heard(self) -> Iterator[tuple[str, str]]:
        """Yield what the process says, word and rest, until it has ended."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            yield word, rest

    def hear(self, word: str) -> str:
        """Return the rest of the next line that begins with a word."""
        for each, rest in self.heard():
            if each == word:
                return rest
        raise AssertionError(f"the process ended with {self._process.wait()}, without {word!r}")

    def kill(self) -> None:
        """Kill the process (SIGKILL on POSIX) and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        """Return the child itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process, whatever it is at."""
        self._patience.cancel()
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
