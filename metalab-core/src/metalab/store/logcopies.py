"""Copying logs: what a store lacks of the lines that another one keeps."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from metalab.store.base import Store
    from metalab.store.copying import TransferReport
    from metalab.store.reading import LogLine
    from metalab.store.source import Source
    from metalab.store.writing import StoreWriter

__all__ = ["copy_logs", "lacking"]


def copy_logs(
    source: Source, destination: Store, writer: StoreWriter, report: TransferReport
) -> None:
    """Copy the log lines of every writer; a log of which anything was copied counts as one."""
    there = destination.logs()
    for name, lines in source.logs().items():
        writer.copy_log(name, _counted(lacking(lines, there.get(name, ())), report))


def lacking(lines: Iterable[LogLine], there: Iterable[LogLine]) -> Iterator[LogLine]:
    """Yield those of one writer's lines that another copy of its log lacks.

    A line that occurs n times is wanted n times. Mostly the copy is the log's beginning,
    which is seen without keeping any of it in memory.
    """
    rest, kept = iter(lines), iter(there)
    for line in rest:
        other = next(kept, None)
        if line == other:
            continue
        left = Counter(map(hash, kept if other is None else chain([other], kept)))
        for each in chain([line], rest):
            if left[hash(each)] > 0:
                left[hash(each)] -= 1
            else:
                yield each


def _counted(lines: Iterable[LogLine], report: TransferReport) -> Iterator[LogLine]:
    met = set()
    for line in lines:
        met.add((line.run_id, line.epoch, line.attempt, line.name))
        yield line
    report.logs += len(met)
