"""A survey of an experiment's segments: how they fit together, and what their lines refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from metalab.store.file import disk
from metalab.store.file.content import is_compressed, stretches
from metalab.store.lines import FORMAT, parse_line
from metalab.store.maintenance import Flaw, Severity
from metalab.store.names import part_name, split_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from metalab.store.file.runlog import Replaced

__all__ = ["Reference", "Survey"]


@attrs.frozen
class Reference:
    """An artifact as the line at ``place`` describes it."""

    uri: str
    sha256: str | None
    size: int | None
    place: str


class Survey:
    """What the lines of all segments say, taken together; ``add`` each segment first."""

    def __init__(self) -> None:
        self.segments = 0
        self.lines = 0
        self.run_ids: set[str] = set()
        self.artifacts: dict[str, Reference] = {}
        self.manifests: dict[str, str] = {}
        self._flaws: list[Flaw] = []
        self._present: dict[tuple[str, int], Path] = {}
        self._opened: dict[tuple[str, int], int | None] = {}  # and up to where the last is good

    def add(self, path: Path) -> None:
        """Read a segment; one that is removed meanwhile is passed over."""
        try:
            self._read(path)
        except FileNotFoundError:
            return
        self.segments += 1
        self._present[split_part(path.name)] = path

    def flaws(self, replaced: Replaced) -> Iterator[Flaw]:
        """Yield what is wrong with single segments, and with how they follow one another."""
        yield from self._flaws
        for (writer, part), path in sorted(self._present.items()):
            if part > 1:
                yield from self._chain_flaws(writer, part, path, replaced)

    def _chain_flaws(
        self, writer: str, part: int, path: Path, replaced: Replaced
    ) -> Iterator[Flaw]:
        before = f"{part_name(writer, part - 1)}.jsonl"
        there = self._present.get((writer, part - 1))
        # Where its part was compacted, its first line lies in a merged segment.
        if there is None and (writer, part - 1) not in self._opened and before not in replaced:
            text = f"{before}, the part before this one, is missing; restore it from a copy"
            yield Flaw("part", Severity.DAMAGE, str(path), text)
        good = self._opened.get((writer, part))
        if there is not None and good is not None and not is_compressed(there.name):
            size = _size_of(there)
            if size is not None and size < good:
                text = f"it has {size:,} bytes, but its writer made {good:,} durable; restore it"
                yield Flaw("part", Severity.DAMAGE, str(there), text)

    def _read(self, path: Path) -> None:
        number = end = 0
        last: dict[str, Any] = {}
        for stretch in stretches(path):
            end = stretch.end
            for line in stretch.lines:
                number += 1
                last = parse_line(line) or {}
                if number == 1:
                    self._check_opening(path, last)
                if last.get("t") == "open" and not _is_understood(last):
                    return  # a newer metalab wrote it
                self._note(last, path, number)
        self.lines += number
        self._check_ending(path, last, number, end)

    def _check_opening(self, path: Path, first: Mapping[str, Any]) -> None:
        named = (first.get("writer"), first.get("part"))
        if first.get("t") == "open" and named == split_part(path.name):
            return
        text = (
            "it does not begin as its name says: it was renamed or joined by hand; its lines count"
        )
        self._flaws.append(Flaw("opening", Severity.NOTE, f"{path}:1", text))

    def _check_ending(self, path: Path, last: Mapping[str, Any], number: int, end: int) -> None:
        own = (last.get("writer"), last.get("part")) == split_part(path.name)
        if last.get("t") == "close" and own and last.get("lines") != number - 1:
            text = (
                f"its last line counts {last.get('lines')} lines before it, there are {number - 1}"
            )
            advice = "restore the file from a copy"
            self._flaws.append(
                Flaw("count", Severity.DAMAGE, f"{path}:{number}", f"{text}; {advice}")
            )
        if not is_compressed(path.name) and disk.size_of(path) > end:
            text = "it ends in half a line: its writer was interrupted, or is writing now"
            self._flaws.append(Flaw("half-line", Severity.NOTE, f"{path}:{number + 1}", text))

    def _note(self, document: Mapping[str, Any], path: Path, number: int) -> None:
        run_id = document.get("id")
        if isinstance(run_id, str):
            self.run_ids.add(run_id)
        if document.get("t") == "open":
            writer, part, good = (document.get(key) for key in ("writer", "part", "prev_good"))
            if isinstance(writer, str) and isinstance(part, int):
                self._opened[writer, part] = good if isinstance(good, int) else None
        manifest = document.get("manifest")
        if isinstance(manifest, str):
            self.manifests.setdefault(manifest, f"{path}:{number}")
        artifacts = document.get("artifacts")
        for each in artifacts if isinstance(artifacts, list) else ():
            if isinstance(each, dict) and isinstance(each.get("uri"), str):
                self._refer(each, f"{path}:{number}")

    def _refer(self, artifact: Mapping[str, Any], place: str) -> None:
        digest, size = artifact.get("content_hash"), artifact.get("size_bytes")
        found = Reference(
            artifact["uri"],
            digest if isinstance(digest, str) else None,
            size if isinstance(size, int) else None,
            place,
        )
        self.artifacts.setdefault(found.uri, found)


def _size_of(path: Path) -> int | None:
    try:
        return disk.size_of(path)
    except FileNotFoundError:  # compacted since it was read
        return None


def _is_understood(opening: Mapping[str, Any]) -> bool:
    written = opening.get("format", FORMAT)
    return isinstance(written, int) and written <= FORMAT
