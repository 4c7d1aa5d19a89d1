"""What has changed in an experiment's segments since the index read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.store.file import disk
from metalab.store.file.content import is_segment
from metalab.store.file.reader import COMPACTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from metalab_postgres.watermarks import Watermark

__all__ = ["BeyondRepairError", "changed", "lag_of", "segments", "size_of"]


class BeyondRepairError(Exception):
    """What was read is not all there any more, so that the rest says nothing.

    ``is_known`` says that this is certain, and no matter of when one looked.
    """

    def __init__(self, *, is_known: bool = False) -> None:
        super().__init__("the segments have to be read anew")
        self.is_known = is_known


def segments(runs: Path) -> list[str]:
    """List the segments in a folder, those that compactions made first."""
    names = [name for name in disk.names(runs) if is_segment(name)]
    return sorted(names, key=lambda name: not name.startswith(COMPACTED))


def changed(runs: Path, names: Iterable[str], known: Mapping[str, Watermark]) -> list[str]:
    """List the segments that have something new.

    Where there are new ones of a compaction they are all that is listed: they say what became
    of others. Raises BeyondRepairError where a segment is shorter, gone, or another file.
    """
    listed = list(names)
    if made := [name for name in listed if name.startswith(COMPACTED) and name not in known]:
        return made
    copied = _copied(known.values())
    sizes = {name: size_of(runs / name) for name in dict.fromkeys([*listed, *known])}
    return [
        name
        for name, size in sizes.items()
        if (name, size) not in copied and _has_news(runs / name, size, known.get(name))
    ]


def lag_of(runs: Path, names: Iterable[str], known: Mapping[str, Watermark]) -> int:
    """Count the bytes that segments have beyond what was read."""
    copied = _copied(known.values())
    lag = 0
    for name in names:
        size = size_of(runs / name) or 0
        if (name, size) not in copied:
            lag += max(size - (known[name].reach if name in known else 0), 0)
    return lag


def _copied(marks: Iterable[Watermark]) -> set[tuple[str, int]]:
    return {each for mark in marks for each in mark.replaces}


def size_of(path: Path) -> int | None:
    """Return a file's size, None where it is gone."""
    try:
        return disk.size_of(path)
    except OSError as error:
        if not disk.is_gone(error):
            raise
        return None


def _has_news(path: Path, size: int | None, mark: Watermark | None) -> bool:
    if mark is None:
        return size is not None
    if size is None:
        if mark.reach:
            raise BeyondRepairError
        return False
    try:
        if size < mark.reach or (size != mark.reach and not mark.is_of(path)):
            raise BeyondRepairError
        return mark.has_news(path, size)
    except OSError as error:
        if not disk.is_gone(error):
            raise
        # A compaction has removed it since its size was asked.
        return _has_news(path, None, mark)
