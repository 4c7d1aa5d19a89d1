"""Overwriting: a source's record counts, whatever the other store has of the same run.

Lines are only ever added, so the record, with its series, log and derived values, is written
once more in an epoch above all that the other store knows of the run. What it displaces stays
readable as an earlier attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from metalab.errors import StoreError
from metalab.store.copying import LineCopier, TransferReport, resealed, windows
from metalab.store.lines import crc_of
from metalab.store.logcopies import lacking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from metalab.store.base import Store
    from metalab.store.copying import Contents
    from metalab.store.reading import LogLine, RunLog
    from metalab.store.source import Source, SourceLog
    from metalab.store.writing import StoreWriter

__all__ = ["overwrite"]

_decode = msgspec.json.Decoder().decode


@attrs.frozen
class _Raise:
    """The attempt at a run that is to count, and the epoch in which it will."""

    epoch: int
    attempt: int
    to: int


def overwrite(
    source: Source,
    log: SourceLog,
    destination: Store,
    writer: StoreWriter,
    copier: LineCopier,
    contents: Contents,
    report: TransferReport,
) -> None:
    """Make every record of the source count that does not yet; all lines are copied before."""
    raises = dict(_differing(log, destination, contents))
    if contents.logs:  # first, so that a record that counts has its log whatever happens
        _raise_logs(source, destination, writer, raises)
    for window in windows(raises):
        for run_id, current, lines in zip(
            window, log.lines(window), log.history(window), strict=True
        ):
            raised = raises[run_id]
            before = report.artifacts
            record = copier.record(_decode(current), epoch=raised.to)
            if report.artifacts > before:
                writer.flush()  # no line may name what is not durable yet
            derived = _derived(lines, crc_of(current)) if contents.derived else ()
            _write(writer, _series(lines, raised), record, derived)
        writer.flush()
    report.runs += len(raises)


def _write(
    writer: StoreWriter, series: Iterable[bytes], record: bytes, derived: Iterable[bytes]
) -> None:
    for line in series:
        writer.copy(line)
    crc = crc_of(writer.copy(record))
    for line in derived:
        writer.copy(resealed(_decode(line), of=crc))


def _raise_logs(
    source: Source, destination: Store, writer: StoreWriter, raises: Mapping[str, _Raise]
) -> None:
    if not raises:
        return
    there = destination.logs()
    for name, logged in source.logs().items():
        kept = _of_epochs(there.get(name, ()), raises)
        writer.copy_log(name, lacking(_raised_lines(logged, raises), kept))


def _differing(
    log: SourceLog, destination: Store, contents: Contents
) -> Iterator[tuple[str, _Raise]]:
    there = destination.read()
    for window in windows(run_id for run_id in log.subjects() if run_id in log):
        present = [run_id for run_id in window if run_id in there]
        theirs = dict(zip(present, there.lines(present), strict=True))
        for run_id, line in zip(window, log.lines(window), strict=True):
            ours = _decode(line)
            kept = _decode(theirs[run_id]) if run_id in theirs else None
            if kept is None or _place(kept) != _place(ours) or _lacks(destination, kept, contents):
                top = _top_epoch(there, run_id)
                yield run_id, _Raise(ours["epoch"], ours["attempt"], max(top, ours["epoch"]) + 1)


def _top_epoch(there: RunLog, run_id: str) -> int:
    state = there.state(run_id)
    return max(state.epoch if state is not None else 0, there.forgotten(run_id))


def _place(document: Mapping[str, Any]) -> tuple[Any, ...]:
    keys = ("status", "attempt", "writer", "part", "seq")
    return tuple(document.get(key) for key in keys)


def _lacks(destination: Store, document: Mapping[str, Any], contents: Contents) -> bool:
    """Tell whether the bytes of an artifact are missing, as after a copy without artifacts."""
    if not contents.artifacts:
        return False
    for described in document.get("artifacts", ()):
        try:
            destination.open_artifact(described["uri"]).close()
        except (OSError, StoreError, ValueError):
            return True
    return False


def _series(lines: Iterable[bytes], raised: _Raise) -> Iterator[bytes]:
    """Yield the series of an attempt, in its new epoch."""
    for line in dict.fromkeys(lines):
        document = _decode(line)
        if document["t"] == "series" and _is_of(document, raised):
            yield resealed(document, epoch=raised.to)


def _derived(lines: Iterable[bytes], crc: str) -> Iterator[bytes]:
    """Yield the values derived from the record whose line has a crc."""
    for line in dict.fromkeys(lines):
        document = _decode(line)
        if document["t"] == "derived" and document.get("of") == crc:
            yield line


def _is_of(document: Mapping[str, Any], raised: _Raise) -> bool:
    return (document["epoch"], document["attempt"]) == (raised.epoch, raised.attempt)


def _raised_lines(lines: Iterable[LogLine], raises: Mapping[str, _Raise]) -> Iterator[LogLine]:
    for line in lines:
        raised = raises.get(line.run_id)
        if raised is not None and (line.epoch, line.attempt) == (raised.epoch, raised.attempt):
            yield attrs.evolve(line, epoch=raised.to)


def _of_epochs(lines: Iterable[LogLine], raises: Mapping[str, _Raise]) -> Iterator[LogLine]:
    for line in lines:
        raised = raises.get(line.run_id)
        if raised is not None and line.epoch == raised.to:
            yield line
