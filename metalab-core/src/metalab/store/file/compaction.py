"""Compaction: many small segments become few, and nothing is removed before its copy is proved.

A new segment is written aside, synced, named, read again and compared; only then are those
that it replaces removed. Its ``open`` line names them, so readers pass over what a crash
leaves behind, and the next compaction removes it. Two compactions at once, or one beside
writers, only ever leave lines twice, which is the same as once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import StoreError
from metalab.store.file import checkpoints, disk
from metalab.store.file.cache import remove_caches
from metalab.store.file.inputs import Input, batches_of, choose
from metalab.store.file.merging import Merged, merge, verify, write_merged
from metalab.store.file.options import Options
from metalab.store.file.reader import read_runs
from metalab.store.lines import crc_of, parse_line
from metalab.store.maintenance import Compaction, IsOver, Kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from metalab.store.file.layout import Folder
    from metalab.store.file.runlog import FileRunLog

__all__ = ["Compactor"]

_LIMIT = Options().roll

Merging = Callable[[Iterable[Input]], Merged]


@attrs.frozen
class Compactor:
    """Merges an experiment's segments, as ``Store.compact`` says.

    ``limit`` is about how many bytes of lines a new segment holds at most.
    """

    folder: Folder
    gzip: bool
    drop_attempts: bool
    is_over: IsOver
    limit: int = _LIMIT

    @property
    def runs(self) -> Path:
        """Where the segments lie."""
        return self.folder.path / "runs"

    def plan(self) -> Compaction:
        """Return what ``run`` would do; nothing is written."""
        with disk.explained(f"{self.runs} cannot be compacted"):
            log = read_runs(self.runs)
            inputs, kept = choose(log, self.is_over)
            merging = self._merging(log)
            batches = [each for each in self._batches(inputs) if self._is_worth_it(each, merging)]
            sizes = _left_behind(log)
            sizes |= {each.path: each.size for batch in batches for each in batch}
            useless = len(checkpoints.useless(self.folder.path, log))
        merged, before = tuple(map(str, sizes)), sum(sizes.values())
        return Compaction(merged, (), before, None, 0, tuple(kept), useless)

    def run(self) -> Compaction:
        """Merge what may be merged; raises StoreError if the disk fails or lies."""
        self.folder.check_writable()
        with disk.explained(f"{self.runs} cannot be compacted"):
            done = self._finish()
            log = read_runs(self.runs)
            inputs, kept = choose(log, self.is_over)
            done = _joined(done, Compaction(kept=tuple(kept)))
            merging = self._merging(log)  # before anything of what was read is removed
            for batch in self._batches(inputs):
                done = _joined(done, self._merge(batch, merging))
            gone = checkpoints.remove(checkpoints.useless(self.folder.path, log))
        return attrs.evolve(done, checkpoints=len(gone))

    def _batches(self, inputs: Iterable[Input]) -> list[list[Input]]:
        wanted = [each for each in inputs if self.drop_attempts or not self._is_full(each)]
        return list(batches_of(wanted, self.limit, gzip=self.gzip))

    def _is_full(self, each: Input) -> bool:
        """Tell whether merging a merged segment once more would gain little."""
        return each.is_merged and each.weight >= self.limit // 2 and not self._packs(each)

    def _packs(self, each: Input) -> bool:
        return self.gzip and not each.is_compressed

    def _merging(self, log: FileRunLog) -> Merging:
        """Return what makes one of the lines of several segments."""
        drop = _Displaced(log) if self.drop_attempts else _nothing_goes
        return partial(merge, prev_good=log.prev_good, drop=drop)

    def _is_worth_it(self, batch: Sequence[Input], merging: Merging) -> bool:
        """Tell whether a batch would become smaller or fewer."""
        if len(batch) > 1 or self._packs(batch[0]):
            return True
        return self.drop_attempts and merging(batch).dropped > 0

    def _merge(self, batch: Sequence[Input], merging: Merging) -> Compaction:
        try:
            if not self._is_worth_it(batch, merging):
                return Compaction()
            merged = merging(batch)
            path = self._write(batch, merged)
            size = disk.size_of(path)
        except FileNotFoundError as error:
            # Another compaction has copied it, and removed it after that.
            return Compaction(kept=(self._overtaken(error),))
        gone, kept = self._remove((each.path, each.size) for each in batch)
        before = sum(each.size for each in batch)
        return Compaction(gone, (str(path),), before, size, merged.dropped, kept)

    def _overtaken(self, error: OSError) -> Kept:
        reason = f"another compaction is at work here: {error.filename} is merged already"
        return Kept(str(self.runs), reason)

    def _write(self, batch: Sequence[Input], merged: Merged) -> Path:
        """Write a batch's lines to a segment that is there in full when this returns."""
        gzip = self.gzip or batch[0].is_compressed
        experiment_id = self.folder.experiment_id
        path = write_merged(self.runs, experiment_id, batch, merged.lines, gzip=gzip)
        try:
            verify(path, merged.lines)
        except StoreError:
            disk.remove(path)  # what it was to replace is all there
            raise
        return path

    def _finish(self) -> Compaction:
        """Remove what an interrupted compaction has copied and left."""
        log = read_runs(self.runs)
        sizes = _left_behind(log)
        try:
            for copy in {name for path in sizes for name in log.replaced[path.name].values()}:
                verify(self.runs / copy)
        except FileNotFoundError as error:  # copied once more, and what is left goes next time
            return Compaction(kept=(self._overtaken(error),))
        gone, kept = self._remove(sizes.items())
        return Compaction(gone, (), sum(sizes.values()), 0, 0, kept)

    def _remove(
        self, replaced: Iterable[tuple[Path, int]]
    ) -> tuple[tuple[str, ...], tuple[Kept, ...]]:
        """Remove segments that are as long as they were; says which are, and which are not."""
        gone: list[str] = []
        kept: list[Kept] = []
        for path, size in replaced:
            try:
                if disk.size_of(path) != size:
                    kept.append(Kept(str(path), "it was written to while it was being copied"))
                    continue
            except FileNotFoundError:  # another compaction has copied it, too
                continue
            disk.remove(path)
            if path.exists():
                kept.append(Kept(str(path), "it cannot be removed; readers pass over it"))
            else:
                gone.append(str(path))
        remove_caches(self.runs, map(os.path.basename, gone))
        if gone:
            disk.sync_directory(self.runs)
        return tuple(gone), tuple(kept)


def _left_behind(log: FileRunLog) -> dict[Path, int]:
    """Return the segments that lie beside their copies, and their sizes: as when copied."""
    found: dict[Path, int] = {}
    for name, sizes in sorted(log.replaced.items()):
        path = log.folder / name
        try:
            size = disk.size_of(path)
        except FileNotFoundError:
            continue
        if size in sizes:
            found[path] = size
    return found


def _joined(one: Compaction, other: Compaction) -> Compaction:
    return Compaction(
        one.merged + other.merged,
        one.made + other.made,
        one.bytes_before + other.bytes_before,
        (one.bytes_after or 0) + (other.bytes_after or 0),
        one.dropped + other.dropped,
        one.kept + other.kept,
    )


def _nothing_goes(_line: bytes, _document: Mapping[str, Any]) -> bool:
    return False


class _Displaced:
    """Tells which lines are of attempts that another has displaced, or of forgotten runs."""

    def __init__(self, log: FileRunLog) -> None:
        self._log = log
        documents = ((line, parse_line(line) or {}) for line in log.lines())
        self._current = {document["id"]: crc_of(line) for line, document in documents}

    def __call__(self, line: bytes, document: Mapping[str, Any]) -> bool:
        kind, run_id = document.get("t"), document.get("id")
        if kind not in {"run", "start", "series", "derived"} or not isinstance(run_id, str):
            return False
        state = self._log.state(run_id)
        if state is None:
            begins = self._log.forgotten(run_id)
            return begins > int(document.get("epoch", 0))
        if kind in {"run", "start"}:
            return self._current[run_id] != crc_of(line)
        at = (document.get("epoch"), document.get("attempt"))
        return kind == "series" and at != (state.epoch, state.attempt)
