"""Reading an experiment's segments: all of them, or only what is new since another read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.store.base import Damage
from metalab.store.file import disk
from metalab.store.file.content import is_compressed, is_segment, line_numbers
from metalab.store.file.index import Index
from metalab.store.file.rows import Rows
from metalab.store.file.runlog import FileRunLog
from metalab.store.file.scan import Position, Scanner
from metalab.store.names import part_name, split_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from metalab.store.file.runlog import Replaced

__all__ = ["COMPACTED", "is_replaced", "read_runs", "replaces_in"]

COMPACTED = "compact."
"""How the names of the segments begin that a compaction writes."""


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
        listed, names = names, _segments(folder)
        if not (reading.vanished or _were_compacted(listed, names)):
            return log
        if names == listed:
            log.damage += tuple(_absent(folder / name) for name in reading.vanished if final)
            return log
        since = log


def _were_compacted(before: Sequence[str], after: Sequence[str]) -> bool:
    """Tell whether a compaction has overtaken a listing.

    It may remove segments after they were listed, or while they are: but only once the one
    with their lines can be seen.
    """
    return any(name.startswith(COMPACTED) for name in set(after).difference(before))


def _absent(path: Path) -> Damage:
    return Damage(str(path), "the folder lists the segment, but it cannot be opened")


def _segments(folder: Path) -> list[str]:
    return [name for name in disk.names(folder) if is_segment(name)]


def is_replaced(path: Path, replaced: Replaced) -> bool:
    """Tell whether all that a segment holds was copied by a compaction, to a segment beside it."""
    sizes = replaced.get(path.name)
    try:
        return sizes is not None and disk.size_of(path) in sizes
    except OSError as error:
        if not disk.is_gone(error):
            raise
        return False


def _news(since: FileRunLog, names: Sequence[str], *, final: bool) -> list[str] | None:
    """List the segments that have something new; None if not all that was read is there.

    Only those that may still grow are looked at, and those that were not listed: a network
    file system may leave a name out of a listing once.
    """
    known = since.positions
    news = [name for name in names if name not in known]
    missing = known.keys() - set(names) if len(names) - len(news) < len(known) else set()
    copied = _copied(since, names)
    news = [name for name in news if name not in copied]
    wanted = dict.fromkeys([*since.live, *sorted(missing)])
    for name in (name for name in wanted if name not in copied):
        position, path = known[name], since.folder / name
        try:
            size = disk.size_of(path)
            if size < position.reach(name):
                return None
            if not position.over and position.has_news(path, size, final=final):
                news.append(name)
        except OSError as error:
            if not disk.is_gone(error):
                raise
            if position.reach(name):
                return None
    return news


def _copied(since: FileRunLog, names: Sequence[str]) -> set[str]:
    """Return those of the segments whose lines stand in a merged one."""
    if not since.replaced:
        return set()
    left = since.replaced.keys() & set(names)
    return {name for name in left if is_replaced(since.folder / name, since.replaced)}


class _Reading:
    """One pass over the segments that have something new."""

    def __init__(self, folder: Path, names: list[str], since: FileRunLog | None) -> None:
        self.vanished: list[str] = []
        self._folder = folder
        self._positions = {} if since is None else dict(since.positions)
        self._positions |= {name: Position() for name in names if name not in self._positions}
        self._order = list(self._positions)
        self._numbers = {name: number for number, name in enumerate(self._order)}
        self._prev_good = {} if since is None else dict(since.prev_good)
        known = {} if since is None else since.replaced
        self._replaced = {name: dict(sizes) for name, sizes in known.items()}
        index = Index() if since is None else since.index.copy()
        index.tie = Rows(folder, self._order, index).tie
        self._index = index

    def read(self, names: Iterable[str], *, final: bool) -> FileRunLog:
        for name in sorted(names, key=_compacted_first):
            if not is_replaced(self._folder / name, self._replaced):
                self._read_one(name, final=final)
        return FileRunLog(
            self._folder,
            self._positions,
            self._prev_good,
            self._index,
            tuple(self._damage()),
            self._replaced,
        )

    def _read_one(self, name: str, *, final: bool) -> None:
        writer, part = split_part(name)
        later = f"{part_name(writer, part + 1)}.jsonl"
        sealed = is_compressed(name) or later in self._positions
        scanner = Scanner(
            self._index, self._folder / name, self._numbers[name], self._positions[name]
        )
        try:
            self._positions[name] = scanner.read(sealed=sealed, final=final)
        except OSError as error:
            if not disk.is_gone(error):
                raise
            self.vanished.append(name)
            return
        self._prev_good |= _prev_good_of(scanner.openings)
        if scanner.is_whole and scanner.openings:
            for replaced, size in replaces_in(scanner.openings[0]):
                self._replaced.setdefault(replaced, {})[size] = name

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
            return line_numbers(path, offsets)
        except OSError as error:
            if not disk.is_gone(error):
                raise
            return [f"byte {offset}" for offset in offsets]


def _compacted_first(name: str) -> bool:
    return not name.startswith(COMPACTED)


def replaces_in(opening: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the names and sizes of the segments that the one with this ``open`` line replaces."""
    listed = opening.get("replaces")
    for each in listed if isinstance(listed, list) else ():
        match each:
            case [str(name), int(size)]:
                yield name, size


def _prev_good_of(openings: Iterable[Mapping[str, object]]) -> dict[tuple[str, int], int]:
    """Return up to where the parts before these are good, by writer and part."""
    return {
        (str(each["writer"]), part - 1): good
        for each in openings
        if isinstance(part := each.get("part"), int)
        and isinstance(good := each.get("prev_good"), int)
    }
