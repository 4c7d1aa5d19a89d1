"""Liveness: whether a writer may still be at work, told without a server or a common clock.

In order of what it costs to know: the writer closed; it was a process of this machine that is
gone; its executor says that it has ended; nothing was heard of it at several looks, far
enough apart by this process's own clock. What its executor says of the cause counts first. A
wrong answer repeats work and loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

import attrs

from metalab.store.causes import Cause
from metalab.store.claiming import Ending
from metalab.store.file import disk
from metalab.store.file.content import is_closed
from metalab.store.host import is_running, process_identity
from metalab.store.lines import parse_line
from metalab.store.names import part_name, split_part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Liveness"]

_LOOKS = 6
_LONGEST_LINE = 1 << 16
_CLOSED = Ending("closed")
_SAME_HOST = ("host", "boot", "pid_ns")

Ask = Callable[[str, str], Ending | bool | None]
"""Asks an executor, by its name, how the worker that it calls so ended; True: it is alive."""


@attrs.frozen
class _Look:
    """What was seen of a writer: its file's token, when, and at how many looks it was the same."""

    token: tuple[int, int]
    at: float
    times: int = 1


class Liveness:
    """Tells how the writers of one folder of segments ended."""

    def __init__(
        self, folder: Path, heartbeat: float, ask: Ask, clock: Callable[[], float] = monotonic
    ) -> None:
        self._folder = folder
        self._heartbeat = heartbeat
        self._ask = ask
        self._clock = clock
        self._over: dict[str, Ending] = {}
        self._looks: dict[str, _Look] = {}

    def ending(self, writer: str) -> Ending | None:
        """Return how a writer ended, or None if it may still be at work.

        A writer without a segment has ended in order: its lines were compacted, or removed.
        """
        if writer not in self._over:
            found = self._find(writer)
            if found is None:
                return None
            self._over[writer] = found
        return self._over[writer]

    def _find(self, writer: str) -> Ending | None:
        if self._is_seen_alive(writer):
            return None
        try:
            path = self._last_part(writer)
            return _CLOSED if path is None or is_closed(path) else self._find_dead(writer, path)
        except FileNotFoundError:  # removed since it was listed; asked again, that is plain
            return None

    def _is_seen_alive(self, writer: str) -> bool:
        """Tell whether a process of this machine still writes the first part: the folder, which
        may be long, need not be listed then.
        """
        path = self._folder / f"{part_name(writer, 1)}.jsonl"
        try:
            opening = _opening_of(path)
            return _is_of_here(opening) and _is_running(opening) and not is_closed(path)
        except FileNotFoundError:
            return False

    def _last_part(self, writer: str) -> Path | None:
        names = [
            name
            for name in disk.names(self._folder)
            if name.endswith(".jsonl") and split_part(name)[0] == writer
        ]
        if not names:
            return None
        return self._folder / max(names, key=lambda name: split_part(name)[1])

    def _find_dead(self, writer: str, path: Path) -> Ending | None:
        opening = _opening_of(path)
        is_of_here = _is_of_here(opening)
        if is_of_here and _is_running(opening):
            return None
        executor, owner = opening.get("executor"), opening.get("owner")
        said = self._ask(executor, owner) if executor and owner else None
        if said is True:
            # Both must agree: of a process that is gone it may yet say why.
            return None
        if isinstance(said, Ending):
            return said
        if is_of_here:
            return Ending(Cause.KILLED)
        return Ending(Cause.SILENT) if self._is_silent(writer, disk.token_of(path)) else None

    def _is_silent(self, writer: str, token: tuple[int, int]) -> bool:
        now, last = self._clock(), self._looks.get(writer)
        if last is None or last.token != token or now - last.at > 2 * self._heartbeat:
            # A gap in the looks may be this process's own sleep, or a server's.
            self._looks[writer] = _Look(token, now)
        elif now - last.at >= self._heartbeat:
            self._looks[writer] = _Look(token, now, last.times + 1)
        return self._looks[writer].times >= _LOOKS


def _opening_of(path: Path) -> Mapping[str, Any]:
    first, _, _ = disk.read_from(path, 0, _LONGEST_LINE).partition(b"\n")
    return parse_line(first) or {}


def _is_of_here(opening: Mapping[str, Any]) -> bool:
    """Tell whether a writer's pid means something to this process."""
    here = process_identity()
    return all(here[key] is not None and opening.get(key) == here[key] for key in _SAME_HOST)


def _is_running(opening: Mapping[str, Any]) -> bool:
    return is_running(opening.get("pid"), opening.get("pid_start"))
