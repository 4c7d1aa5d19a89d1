"""Pictures: the images that runs kept as artifacts, inside a page as far as a budget goes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from metalab.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from metalab.records import ArtifactDescriptor
    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["artifacts_of", "fewer", "of_first", "pictures_of"]

_MOST_RUNS = 500
_LARGEST = 1_000_000
_BUDGET = 6_000_000  # bytes, which are a third more in the page
_HEAD = 1024
_FORMS = frozenset({"bytes", "jpeg", "png", "svg"})


def artifacts_of(rows: Rows) -> list[str | None]:
    """Name the artifacts of each run, None where it has none."""
    return [_named(record.artifacts) or None for record in rows.records()]


def _named(artifacts: list[ArtifactDescriptor]) -> str:
    return ", ".join(f"{each.name} ({each.format})" for each in artifacts)


def pictures_of(reader: Reader, rows: Rows) -> dict[str, Any]:
    """Return ``images`` (media type and base64 of each) and which runs they are ``shown`` at.

    ``shown`` has the place of a run, an artifact's name and the number of its image; equal
    images are there once. PNG, JPEG and SVG are known by their bytes, whatever they are called.
    They are taken of the first 500 runs, up to 1 MB each and 6 MB in all; ``left_out`` says
    whether there may be more.
    """
    images: list[list[str]] = []
    shown: list[list[Any]] = []
    numbers: dict[str, int] = {}
    left, is_left_out = _BUDGET, len(rows) > _MOST_RUNS
    for place, artifact in _candidates(rows):
        number = numbers.get(artifact.content_hash or "")
        if number is None:
            media = _media_of(reader, artifact)
            if media is None:
                continue
            size = artifact.size_bytes or 0
            content = _read(reader, artifact) if size <= min(left, _LARGEST) else None
            if content is None:
                is_left_out = True
                continue
            left -= len(content)
            number = len(images)
            images.append([media, base64.b64encode(content).decode()])
            if artifact.content_hash:
                numbers[artifact.content_hash] = number
        shown.append([place, artifact.name, number])
    return {"images": images, "shown": shown, "left_out": is_left_out}


def _candidates(rows: Rows) -> Iterator[tuple[int, ArtifactDescriptor]]:
    first = range(min(len(rows), _MOST_RUNS))
    for place, record in zip(first, rows.records(first), strict=True):
        for artifact in record.artifacts:
            if artifact.format.rpartition("/")[2] in _FORMS:
                yield place, artifact


def _media_of(reader: Reader, artifact: ArtifactDescriptor) -> str | None:
    head = _read(reader, artifact, _HEAD) or b""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    # In an image element it runs no script of its own, and fetches nothing.
    is_svg = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<svg", b"<?xml", b"<!DOCTYPE svg"))
    return "image/svg+xml" if is_svg and b"<svg" in head else None


def _read(reader: Reader, artifact: ArtifactDescriptor, most: int = -1) -> bytes | None:
    try:
        with reader.store.open_artifact(artifact) as file:
            return file.read(most)
    except (StoreError, OSError):
        # A page without one picture is better than none; the artifact is named all the same.
        return None


def of_first(pictures: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the pictures of no more than some runs."""
    return _with(pictures, [each for each in pictures["shown"] if each[0] < count])


def fewer(pictures: Mapping[str, Any], excess: int) -> dict[str, Any]:
    """Leave out the last images, of so many bytes at least; all, if they have fewer."""
    kept = list(pictures["images"])
    while kept and excess > 0:
        excess -= len(kept.pop()[1])
    shown = [each for each in pictures["shown"] if each[2] < len(kept)]
    return {**_with(pictures, shown), "left_out": True}


def _with(pictures: Mapping[str, Any], shown: list[list[Any]]) -> dict[str, Any]:
    # Images are numbered in the order of their first use.
    last = max((each[2] for each in shown), default=-1)
    return {**pictures, "shown": shown, "images": pictures["images"][: last + 1]}
