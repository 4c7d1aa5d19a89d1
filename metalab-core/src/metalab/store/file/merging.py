"""Merging segments: one new segment with all their lines, byte for byte, in their order."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import StoreError
from metalab.store.file import disk
from metalab.store.file.compressed import compress
from metalab.store.file.content import Stretch, offsets_of, stretches
from metalab.store.file.reader import COMPACTED
from metalab.store.file.segment import Segment
from metalab.store.host import metalab_version, process_identity, this_moment
from metalab.store.lines import FORMAT, line_of, parse_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from metalab.store.file.inputs import Input

__all__ = ["Merged", "merge", "verify", "write_merged"]

_MEMBER = 1 << 20
_ENDS = frozenset({"open", "close"})


@attrs.frozen
class Merged:
    """The lines of several segments, each once, with their line feeds.

    ``dropped`` counts those that say nothing any more: that an attempt began whose end is
    there too, and what was to be dropped.
    """

    lines: list[bytes]
    dropped: int


def merge(
    inputs: Iterable[Input],
    prev_good: Mapping[tuple[str, int], int],
    drop: Callable[[bytes, Mapping[str, Any]], bool],
) -> Merged:
    """Return the lines of segments; raises StoreError if one is damaged.

    ``prev_good`` is up to where segments are good whose writers' next parts repeat the rest.
    """
    lines: dict[bytes, None] = {}  # ordered, and each line once
    starts: dict[tuple[Any, ...], list[bytes]] = {}
    ended: set[tuple[Any, ...]] = set()
    dropped = 0
    for each in inputs:
        for line, document in _lines_of(each, prev_good.get(each.writer)):
            kind = document.get("t")
            if each.is_merged and kind in _ENDS and _is_its_own(document, each):
                continue
            if drop(line, document):
                dropped += 1
                continue
            lines[line] = None
            attempt = (document.get("id"), document.get("epoch"), document.get("attempt"))
            if kind == "start":
                starts.setdefault(attempt, []).append(line)
            elif kind == "run":
                ended.add(attempt)
    for line in [line for attempt in starts.keys() & ended for line in starts[attempt]]:
        dropped += 1
        lines.pop(line, None)
    return Merged([b"%b\n" % line for line in lines], dropped)


def _is_its_own(document: Mapping[str, Any], each: Input) -> bool:
    return (document.get("writer"), document.get("part")) == each.writer


def _lines_of(each: Input, good: int | None) -> Iterator[tuple[bytes, dict[str, Any]]]:
    for stretch in _stretches_of(each.path):
        offsets = offsets_of(stretch.lines, stretch.start)
        for offset, line in zip(offsets, stretch.lines, strict=True):
            document = parse_line(line) if line else None
            if document is not None:
                yield line, document
            elif line and (good is None or offset < good):
                raise StoreError(f"{each.path} was damaged while it was being compacted")


def _stretches_of(path: Path) -> Iterator[Stretch]:
    for stretch in stretches(path):
        if stretch.trouble:
            raise StoreError(f"{path}: {stretch.trouble}")
        yield stretch


def write_merged(
    folder: Path, experiment_id: str, inputs: Sequence[Input], lines: Sequence[bytes], *, gzip: bool
) -> Path:
    """Write the segment that replaces others, under its name once it is durable; its path.

    Raises OSError, and leaves nothing behind then.
    """
    token = secrets.token_hex(8)
    name = f"{COMPACTED}{token}"
    replaced = [[each.path.name, each.size] for each in inputs]
    opening = {
        "t": "open",
        "format": FORMAT,
        "writer": name,
        "part": 1,
        "prev_good": None,
        "experiment": experiment_id,
        **process_identity(),
        "executor": "",
        "owner": "",
        "metalab": metalab_version(),
        "opened": this_moment(),
        "replaces": replaced,
    }
    closing = {"t": "close", "writer": name, "part": 1, "lines": 1 + len(lines)}
    content = [line_of(opening), *lines, line_of(closing)]
    path = folder / f"{name}.jsonl{'.gz' if gzip else ''}"
    segment = Segment.create(folder / f"{disk.TEMPORARY}{name}")
    try:
        _fill(segment, _compressed(content) if gzip else content)
        disk.move(segment.path, path, segment.size)
    finally:
        disk.remove(segment.path)
    return path


def _fill(segment: Segment, content: Sequence[bytes]) -> None:
    try:
        _, error = segment.append_all(content)
        if error is not None:
            raise error
        segment.sync()
    finally:
        segment.close()


def _compressed(lines: Iterable[bytes]) -> list[bytes]:
    found: list[bytes] = []
    text: list[bytes] = []
    size = 0
    for line in lines:
        text.append(line)
        size += len(line)
        if size >= _MEMBER:
            found.append(compress(b"".join(text)))
            text, size = [], 0
    return [*found, compress(b"".join(text))] if text else found


def verify(path: Path, lines: Sequence[bytes] | None = None) -> None:
    """Read a merged segment again; raises StoreError unless it is whole, and holds the lines."""
    kept: list[bytes] = []
    last: dict[str, Any] = {}
    count = 0
    for stretch in _stretches_of(path):
        for line in stretch.lines:
            document = parse_line(line)
            if document is None:
                raise StoreError(f"{path}:{count + 1} is damaged; what it replaces is kept")
            last = document
            count += 1
        kept += stretch.lines if lines is not None else ()
    if last.get("t") != "close" or last.get("lines") != count - 1:
        raise StoreError(f"{path} is cut short after {count} lines; what it replaces is kept")
    if lines is not None and kept[1:-1] != [line.rstrip(b"\n") for line in lines]:
        raise StoreError(f"{path} does not hold what was written; what it replaces is kept")
