"""Which segments a compaction may merge, which ones together, and why the others stay."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs

from metalab.store.file import disk
from metalab.store.file.content import is_compressed, stretches
from metalab.store.file.reader import is_replaced
from metalab.store.lines import parse_line
from metalab.store.maintenance import Kept
from metalab.store.names import split_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from metalab.store.file.runlog import FileRunLog
    from metalab.store.maintenance import IsOver

__all__ = ["Input", "batches_of", "choose", "opening_of"]

_EXPANSION = 4  # of compressed lines, about: it bounds the memory that merging takes


@attrs.frozen
class Input:
    """A segment that nobody will write to again, as long as it was when it was chosen."""

    path: Path
    size: int
    opening: Mapping[str, Any]

    @property
    def writer(self) -> tuple[str, int]:
        """The writer and the part that its name says."""
        return split_part(self.path.name)

    @property
    def is_merged(self) -> bool:
        """Whether a compaction wrote it."""
        return "replaces" in self.opening

    @property
    def is_compressed(self) -> bool:
        """Whether the file is compressed."""
        return is_compressed(self.path.name)

    @property
    def weight(self) -> int:
        """About how many bytes of lines it holds."""
        return self.size * (_EXPANSION if self.is_compressed else 1)


def choose(log: FileRunLog, is_over: IsOver) -> tuple[list[Input], list[Kept]]:
    """Return the segments that may be merged, by writer and part, and what stays and why.

    A writer's parts stay or go together: later parts say what is good of earlier ones.
    """
    damage: dict[str, str] = {}
    for each in log.damage:
        damage.setdefault(each.place.rpartition(":")[0], f"{each.place}: {each.reason}")
    present = [name for name in log.positions if not is_replaced(log.folder / name, log.replaced)]
    chosen: list[Input] = []
    kept: list[Kept] = []
    for _, names in groupby(sorted(present, key=_place), key=lambda name: split_part(name)[0]):
        parts = [log.folder / name for name in names]
        try:
            found = [Input(path, disk.size_of(path), opening_of(path)) for path in parts]
        except FileNotFoundError:  # another compaction has copied it
            continue
        reason = _obstacle(found, damage, log, is_over)
        if reason is None:
            chosen += found
        else:
            kept.append(Kept(str(parts[0]), reason))
    return chosen, kept


def _place(name: str) -> tuple[tuple[str, int], str]:
    return split_part(name), name


def opening_of(path: Path) -> dict[str, Any]:
    """Return the ``open`` line with which a segment begins; empty if it begins with another."""
    for stretch in stretches(path):
        document = parse_line(stretch.lines[0]) if stretch.lines else None
        return document if document is not None and document.get("t") == "open" else {}
    return {}


def _obstacle(
    parts: Sequence[Input], damage: Mapping[str, str], log: FileRunLog, is_over: IsOver
) -> str | None:
    """Say why a writer's segments must stay, if they must."""
    for each in parts:
        if str(each.path) in damage:
            return f"not all of it can be read, so all of it stays: {damage[str(each.path)]}"
    for each in parts:
        if (each.opening.get("writer"), each.opening.get("part")) != each.writer:
            return "it was renamed or joined by hand: it does not begin as its name says"
    last = parts[-1]
    if log.positions[last.path.name].over or is_over(last.opening):
        return None
    return "it is still being written, or its writer died before it could end it"


def batches_of(inputs: Iterable[Input], limit: int, *, gzip: bool) -> Iterator[list[Input]]:
    """Yield segments that become one, of about ``limit`` bytes of lines; no segment twice.

    What is compressed stays so, and is not mixed with what is not.
    """

    def form(each: Input) -> bool:
        return gzip or each.is_compressed

    for _, alike in groupby(sorted(inputs, key=form), key=form):
        batch: list[Input] = []
        weight = 0
        for each in alike:
            if batch and weight + each.weight > limit:
                yield batch
                batch, weight = [], 0
            batch.append(each)
            weight += each.weight
        yield batch
