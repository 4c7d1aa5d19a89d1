"""What lines refer to, and what no line refers to: artifacts, packs and logs."""

from __future__ import annotations

import hashlib
import tarfile
from typing import TYPE_CHECKING, BinaryIO

from metalab.errors import StoreError
from metalab.store.file import disk, layout
from metalab.store.file.artifacts import open_uri
from metalab.store.maintenance import Flaw, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from metalab.store.file.survey import Reference

__all__ = ["artifact_flaws", "log_flaws", "orphans"]

_BLOCK = 1 << 20


def artifact_flaws(folder: Path, artifacts: Mapping[str, Reference]) -> Iterator[Flaw]:
    """Read every artifact that a line names, and yield what is missing or altered."""
    for each in artifacts.values():
        text = _trouble_with(folder, each)
        if text is not None:
            advice = "restore it from a copy, or forget the run (metalab rm) and run it again"
            yield Flaw("artifact", Severity.DAMAGE, each.place, f"{text}; {advice}")


def _trouble_with(folder: Path, each: Reference) -> str | None:
    try:
        with open_uri(folder, each.uri) as file:
            size, digest = _measured(file)
    except (StoreError, ValueError) as error:
        return str(error)
    except OSError as error:
        return f"{each.uri} cannot be read ({error.strerror})"
    if each.size is not None and size != each.size:
        return f"{each.uri} has {size:,} bytes, it was kept with {each.size:,}"
    if each.sha256 is not None and digest != each.sha256:
        return f"{each.uri} is not what was kept: its sha256 does not match"
    return None


def _measured(file: BinaryIO) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest()


def orphans(folder: Path, named: Collection[str]) -> Iterator[Flaw]:
    """Yield the files, and the members of packs, that no line names: they only cost space."""
    for path in layout.files_below(folder / "artifacts"):
        if not path.name.startswith(".") and path.relative_to(folder).as_posix() not in named:
            text = f"no line names this artifact of {disk.size_of(path):,} bytes"
            yield Flaw("orphan", Severity.NOTE, str(path), text)
    for path in layout.files_below(folder / "packs"):
        if path.suffix == ".tar" and not path.name.startswith("."):
            yield from _pack_orphans(path, named)


def _pack_orphans(path: Path, named: Collection[str]) -> Iterator[Flaw]:
    alone: list[str] = []
    count = size = 0
    try:
        with disk.reading(path) as file, tarfile.open(fileobj=file, mode="r:") as pack:
            for count, member in enumerate(pack, 1):  # noqa: B007  counted beyond the loop
                uri = f"packs/{path.name}#{member.offset_data}+{member.size}"
                if uri not in named:
                    alone.append(member.name)
                    size += member.size
    except tarfile.TarError as error:
        text = (
            f"after {count} artifacts it ends in half a one ({error}); what lines name is checked"
        )
        yield Flaw("pack", Severity.NOTE, str(path), text)
    if alone:
        text = f"no line names {len(alone)} of its {count} artifacts ({size:,} bytes)"
        yield Flaw("orphan", Severity.NOTE, str(path), f"{text}, the first is {alone[0]}")


def log_flaws(folder: Path, run_ids: Collection[str]) -> Iterator[Flaw]:
    """Yield the logs with lines of runs that no segment knows."""
    for path in layout.files_below(folder / "logs"):
        if path.suffix != ".log" or path.name.startswith("."):
            continue
        first, count = 0, 0
        with disk.reading(path) as file:
            for number, line in enumerate(file, 1):
                if line.partition(b" ")[0].decode("utf-8", "replace") not in run_ids:
                    first = first or number
                    count += 1
        if count:
            text = (
                f"{count} lines from here on are of runs that no segment names: lost, or under way"
            )
            yield Flaw("log", Severity.NOTE, f"{path}:{first}", text)
