"""Reading an experiment's segments: all of them, or only what is new since another read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.store.base import Damage
from metalab.store.file import disk
from metalab.store.file.index import Index
from metalab.store.file.rows import Rows
from metalab.store.file.runlog import FileRunLog
from metalab.store.file.scan import Position, Scanner
from metalab.store.names import part_name, split_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["read_runs"]


def read_runs(folder: Path, since: FileRunLog | None = None, *, final: bool = True) -> FileRunLog:
    """Fold the segments in a folder; it need not exist.

    With ``since`` only what was added is read; the result is ``since`` itself where nothing
    was. Without ``final``, bad lines of a file that may still grow are no damage yet.
    """
    names = _segments(folder)
    while True:
        news = None
        if since is not None and since.folder == folder:
            news = _news(since, names, final=final)
        if news is None:
            since, news = None, names
        if since is not None and not news:
            return since
        reading = _Reading(folder, names, since)
        log = reading.read(news, final=final)
        # What vanished may have been compacted: what it held then stands in a newer segment.
        listed, names = names, _segments(folder) if reading.vanished else names
        if names == listed:
            log.damage += tuple(_absent(folder / name) for name in reading.vanished if final)
            return log


def _absent(path: Path) -> Damage:
    return Damage(str(path), "the folder lists the segment, but it cannot be opened")


def _segments(folder: Path) -> list[str]:
    names = disk.names(folder)
    return [name for name in names if name.endswith(".jsonl") and not name.startswith(".")]


def _news(since: FileRunLog, names: Sequence[str], *, final: bool) -> list[str] | None:
    """List the segments that have something new; None if not all that was read is there.

    Only those that may still grow are looked at, and those that were not listed: a network
    file system may leave a name out of a listing once.
    """
    known = since.positions
    news = [name for name in names if name not in known]
    missing = known.keys() - set(names) if len(names) - len(news) < len(known) else set()
    for name in dict.fromkeys([*since.live, *sorted(missing)]):
        position, path = known[name], since.folder / name
        try:
            size = disk.size_of(path)
            if size < position.reach:
                return None
            if not position.over and position.has_news(path, size, final=final):
                news.append(name)
        except OSError as error:
            if not disk.is_gone(error):
                raise
            if position.reach:
                return None
    return news


class _Reading:
    """One pass over the segments that have something new."""

    def __init__(self, folder: Path, names: list[str], since: FileRunLog | None) -> None:
        self.vanished: list[str] = []
        self._folder = folder
        self._positions = {} if since is None else dict(since.positions)
        self._positions |= {name: Position() for name in names if name not in self._positions}
        self._order = list(self._positions)
        self._prev_good = {} if since is None else dict(since.prev_good)
        index = Index() if since is None else since.index.copy()
        index.tie = Rows(folder, self._order, index).tie
        self._index = index

    def read(self, names: Iterable[str], *, final: bool) -> FileRunLog:
        for name in names:
            self._read_one(name, final=final)
        return FileRunLog(
            self._folder, self._positions, self._prev_good, self._index, tuple(self._damage())
        )

    def _read_one(self, name: str, *, final: bool) -> None:
        writer, part = split_part(name)
        sealed = f"{part_name(writer, part + 1)}.jsonl" in self._positions
        scanner = Scanner(
            self._index, self._folder / name, self._order.index(name), self._positions[name]
        )
        try:
            self._positions[name] = scanner.read(sealed=sealed, final=final)
        except OSError as error:
            if not disk.is_gone(error):
                raise
            self.vanished.append(name)
            return
        self._prev_good |= _prev_good_of(scanner.openings)

    def _damage(self) -> Iterable[Damage]:
        for name, position in self._positions.items():
            # A writer whose disk failed wrote what lies beyond again, to its next part.
            good = self._prev_good.get(split_part(name))
            bad = [(at, reason) for at, reason in position.bad if good is None or at < good]
            if bad:
                path = self._folder / name
                numbers = self._line_numbers(path, [at for at, _ in bad])
                for number, (_, reason) in zip(numbers, bad, strict=True):
                    yield Damage(f"{path}:{number}", reason)

    def _line_numbers(self, path: Path, offsets: Sequence[int]) -> Sequence[int | str]:
        try:
            return disk.line_numbers(path, offsets)
        except OSError as error:
            if not disk.is_gone(error):
                raise
            return [f"byte {offset}" for offset in offsets]


def _prev_good_of(openings: Iterable[Mapping[str, object]]) -> dict[tuple[str, int], int]:
    """Return up to where the parts before these are good, by writer and part."""
    return {
        (str(each["writer"]), part - 1): good
        for each in openings
        if isinstance(part := each.get("part"), int)
        and isinstance(good := each.get("prev_good"), int)
    }
