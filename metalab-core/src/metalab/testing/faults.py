"""Faults, put where a store of your own can meet them: each is there within a ``with``.

What is replaced is Python's own function, or the one that is named: code in C, such as a
database's, is not reached. Look functions up when they are called (``os.write(...)``) rather
than when modules are imported, and these faults reach them.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from types import ModuleType, TracebackType

    from metalab.store.base import Store

__all__ = [
    "Cable",
    "Faulty",
    "FullDisk",
    "Short",
    "deliver_again",
    "patchy_listing",
    "replaced",
    "skewed_clock",
    "slow_listing",
    "stale_listing",
    "torn",
    "watched_syncs",
]

Write = Callable[[int, bytes], int]


@contextmanager
def replaced(owner: ModuleType | type | object, name: str, stand_in: object) -> Iterator[None]:
    """Have something else stand for an attribute of a module, a class or an object."""
    real = getattr(owner, name)
    setattr(owner, name, stand_in)
    try:
        yield
    finally:
        setattr(owner, name, real)


class Faulty:
    """Stands in for a function and raises OSError at the calls whose numbers are in ``fail``.

    Calls count from 1 in ``calls``; ``number`` is the error's, EIO unless another is given.
    """

    def __init__(
        self, real: Callable[..., Any], fail: Collection[int] = (), number: int = errno.EIO
    ) -> None:
        self.real = real
        self.fail = set(fail)
        self.calls = 0
        self.number = number

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the real function, or fail."""
        self.calls += 1
        if self.calls in self.fail:
            raise OSError(self.number, os.strerror(self.number))
        return self.real(*args, **options)


class Short:
    """Stands in for a write that takes only half of what it is given, at some calls."""

    def __init__(self, real: Write, calls: Collection[int]) -> None:
        self.calls = 0
        self.at = set(calls)
        self.real = real

    def __call__(self, fd: int, data: bytes) -> int:
        """Write the data, or its first half."""
        self.calls += 1
        return self.real(fd, data[: len(data) // 2] if self.calls in self.at else data)


class FullDisk:
    """Stands in for a write to a disk that takes so many bytes more: the last in part."""

    def __init__(self, real: Write, left: int) -> None:
        self.left = left
        self.real = real

    def __call__(self, fd: int, data: bytes) -> int:
        """Write what there is room for; raises OSError (ENOSPC) where there is none."""
        if self.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self.real(fd, data[: self.left])
        self.left -= taken
        return taken


@contextmanager
def watched_syncs(done: Callable[[int], object]) -> Iterator[None]:
    """Call ``done`` with the descriptor whenever a file's data has been synced; not a folder's."""

    def watched(real: Callable[[int], None], fd: int) -> None:
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        real(fd)
        if is_file:
            done(fd)

    names = [name for name in ("fsync", "fdatasync") if hasattr(os, name)]
    reals = {name: getattr(os, name) for name in names}
    for name, real in reals.items():
        setattr(os, name, partial(watched, real))
    try:
        yield
    finally:
        for name, real in reals.items():
            setattr(os, name, real)


def torn(path: Path, lost: int) -> None:
    """Cut off a file's last bytes, as a machine's death does that was writing them."""
    os.truncate(path, max(path.stat().st_size - lost, 0))


@contextmanager
def stale_listing() -> Iterator[None]:
    """Have folders listed without the names that they get meanwhile, as on a network disk."""
    known: dict[str, set[str]] = {}

    def shown(folder: str, names: set[str]) -> set[str]:
        return names & known.setdefault(folder, names)

    with _listings(shown):
        yield


@contextmanager
def patchy_listing() -> Iterator[None]:
    """Have each listing of a folder lack a name, another one each time, as network disks may."""
    turn = count()

    def shown(folder: str, names: set[str]) -> set[str]:
        del folder  # whichever it is
        return names - {sorted(names)[next(turn) % len(names)]} if names else names

    with _listings(shown):
        yield


@contextmanager
def slow_listing(meanwhile: Callable[[], object]) -> Iterator[None]:
    """Do something once while a folder is listed: what it changes is not in that listing."""
    left = [meanwhile]

    def shown(folder: str, names: set[str]) -> set[str]:
        del folder  # whichever it is
        if left:
            left.pop()()
        return names

    with _listings(shown):
        yield


class _Entries:
    """Stands in for what ``os.scandir`` returns."""

    def __init__(self, entries: list[os.DirEntry[str]]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> os.DirEntry[str]:
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


@contextmanager
def _listings(shown: Callable[[str, set[str]], set[str]]) -> Iterator[None]:
    """Let ``os.listdir`` and ``os.scandir`` show of a folder's names those that ``shown`` returns.

    It is called after the folder was read, once each time.
    """
    listdir, scandir = os.listdir, os.scandir

    def list_some(path: Any = ".") -> list[str]:
        names = listdir(path)
        seen = shown(str(path), set(names))
        return [name for name in names if name in seen]

    def scan_some(path: Any = ".") -> _Entries:
        with scandir(path) as entries:
            found = list(entries)
        seen = shown(str(path), {entry.name for entry in found})
        return _Entries([entry for entry in found if entry.name in seen])

    with replaced(os, "listdir", list_some), replaced(os, "scandir", scan_some):
        yield


@contextmanager
def skewed_clock(seconds: float) -> Iterator[None]:
    """Set this process's ``time.time`` and ``time.time_ns`` forward, or back."""
    now, now_ns = time.time, time.time_ns
    with (
        replaced(time, "time", lambda: now() + seconds),
        replaced(time, "time_ns", lambda: now_ns() + int(seconds * 1e9)),
    ):
        yield


def deliver_again(store: Store) -> int:
    """Write each line about runs once more, the last first, and return how many there were.

    A message that was not confirmed is sent again, and may come late: lines are known again.
    """
    log = store.read()
    # Each once, however often it came before: else a few deliveries would be thousands of lines.
    lines = list(dict.fromkeys(line for each in log.history(log.subjects()) for line in each))
    with store.writer("again") as writer:
        for line in reversed(lines):
            writer.copy(line)
    return len(lines)


class Cable:
    """Stands between a store and its server: connect to ``port`` instead of the server's.

    ``cut`` ends all connections and refuses new ones, ``mend`` lets them through again. It is
    laid within a ``with``, on this machine.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self._is_cut = False
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()

    def cut(self) -> None:
        """End every connection, and refuse new ones."""
        with self._lock:
            self._is_cut = True
            ends, self._ends = self._ends, []
        for end in ends:
            _hang_up(end)

    def mend(self) -> None:
        """Let new connections through."""
        with self._lock:
            self._is_cut = False

    @contextmanager
    def lost(self) -> Iterator[None]:
        """Have the cable cut, for as long as this lasts."""
        self.cut()
        try:
            yield
        finally:
            self.mend()

    def __enter__(self) -> Self:
        """Begin to carry connections."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the cable away."""
        _hang_up(self._listener)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # taken away
                return
            with suppress(OSError):
                self._carry(near)

    def _carry(self, near: socket.socket) -> None:
        with self._lock:
            if self._is_cut:
                near.close()
                return
            try:
                far = socket.create_connection(self._server)
            except OSError:
                near.close()
                raise
            self._ends += [near, far]
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # hung up
        while data := source.recv(1 << 16):
            target.sendall(data)
    _hang_up(source)
    _hang_up(target)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
