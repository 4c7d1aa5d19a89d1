"""Copying one experiment: every line as it was written, after the artifacts that it names.

A line keeps its writer, part and number, so that it has the same place in the order of the
other store, and is known there when it comes again. Only where an artifact's uri has to
change is a line written anew, and then the values derived from it follow.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs
import msgspec

from metalab.errors import StoreError
from metalab.records import ArtifactDescriptor
from metalab.store.lines import crc_of, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from metalab.store.reading import RunLog
    from metalab.store.source import Source, SourceLog
    from metalab.store.writing import StoreWriter

__all__ = ["Contents", "LineCopier", "TransferReport", "resealed", "windows"]

_BLOCK = 1 << 20
_WINDOW = 256  # runs whose lines are in memory at once
_decode = msgspec.json.Decoder().decode


@attrs.frozen
class Contents:
    """What is copied besides the records of runs, and whether the source's records win."""

    artifacts: bool = True
    derived: bool = True
    logs: bool = True
    overwrite: bool = False


@attrs.define
class TransferReport:
    """Counts what was copied, and tells in words what could not be."""

    runs: int = 0
    derived: int = 0
    logs: int = 0
    artifacts: int = 0
    problems: list[str] = attrs.Factory(list)

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in ("runs", "derived", "logs", "artifacts")}


@attrs.frozen
class _Attempt:
    run_id: str
    epoch: int
    attempt: int


@attrs.frozen
class _Copied:
    """A line to be written, and the (run, crc) of those that it stands for."""

    line: bytes
    origins: list[tuple[str, str]]


@attrs.frozen
class _Window:
    """What is copied at once: records and the like first, then what is derived from them.

    ``crcs`` are those of records here, by their run and by the crc that they had.
    """

    records: dict[tuple[Any, ...], _Copied] = attrs.Factory(dict)
    derived: list[tuple[dict[str, Any], bytes]] = attrs.Factory(list)
    crcs: dict[tuple[str, str], str] = attrs.Factory(dict)

    def with_record(self, document: dict[str, Any], line: bytes) -> bytes:
        """Return the line of derived values with the crc that their record has here."""
        of = document.get("of", "")
        crc = self.crcs.get((document["id"], of), of)
        return line if crc == of else resealed(document, of=crc)


def windows(run_ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield runs some at a time."""
    rest = iter(run_ids)
    while window := list(islice(rest, _WINDOW)):
        yield window


def resealed(document: Mapping[str, Any], **changes: Any) -> bytes:
    """Return the line of a document with other values for some keys, without a line feed."""
    body = {key: value for key, value in {**document, **changes}.items() if key != "crc"}
    return line_of(body)[:-1]


@attrs.frozen
class LineCopier:
    """Copies what a store lacks of another's lines, window by window.

    ``kept`` is what the store had before; ``manifests`` are the names of the source's
    manifests here.
    """

    _source: Source
    _log: SourceLog
    _kept: RunLog
    _writer: StoreWriter
    _contents: Contents
    _report: TransferReport
    _manifests: Mapping[str, str]

    def copy(self, run_ids: Sequence[str]) -> None:
        """Copy the lines about these runs, durably."""
        before = self._report.artifacts
        window = _Window()
        histories = zip(
            run_ids, self._log.history(run_ids), self._kept.history(run_ids), strict=True
        )
        for run_id, lines, there in histories:
            for line, document in _lacking(lines, there, window):
                self._take(line, document, window)
            self._report.runs += self._is_new(run_id)
        if self._report.artifacts > before:
            self._writer.flush()  # no line may name what is not durable yet
        for copied in window.records.values():
            crc = crc_of(self._writer.copy(copied.line))
            window.crcs.update(dict.fromkeys(copied.origins, crc))
        for document, line in window.derived:
            self._writer.copy(window.with_record(document, line))
        self._writer.flush()

    def record(self, document: Mapping[str, Any], **changes: Any) -> bytes:
        """Return the line of a record as it is to be here, once its artifacts are kept."""
        manifest = document.get("manifest")
        if manifest is not None and self._manifests.get(manifest, manifest) != manifest:
            changes["manifest"] = self._manifests[manifest]
        if self._contents.artifacts and document.get("artifacts"):
            run = _Attempt(document["id"], document["epoch"], document["attempt"])
            changes["artifacts"] = [self._artifact(run, each) for each in document["artifacts"]]
        return resealed(document, **changes)

    def _is_new(self, run_id: str) -> bool:
        state = self._log.state(run_id)
        if state is None or run_id in self._kept:
            return False
        return state.epoch >= self._kept.forgotten(run_id)

    def _take(self, line: bytes, document: dict[str, Any], window: _Window) -> None:
        """Make ready a line that is to be copied."""
        if document["t"] == "derived":
            if self._contents.derived:
                self._report.derived += 1
                window.derived.append((document, line))
            return
        refers = document["t"] in {"run", "start"} and (
            document.get("artifacts") or document.get("manifest")
        )
        written = self.record(document) if refers else line
        origin = document["id"], crc_of(line)
        window.records[_identity(line, document)] = _Copied(written, [origin])

    def _artifact(self, run: _Attempt, described: dict[str, Any]) -> dict[str, Any]:
        """Keep an artifact here and return what its record says of it."""
        artifact = _descriptor(described)
        try:
            uri, digest, size = self._keep(run, artifact)
        except _UnreadableError as error:
            self._lost(run, artifact, str(error))
            return described
        if artifact.content_hash not in {None, digest}:
            self._lost(run, artifact, f"its bytes are damaged, their sha256 is {digest}")
            return described
        self._report.artifacts += 1
        return {**described, "uri": uri, "content_hash": digest, "size_bytes": size}

    def _keep(self, run: _Attempt, artifact: ArtifactDescriptor) -> tuple[str, str, int]:
        with _reading():
            found = self._source.artifact_file(artifact)
        name, extension = artifact.name, found.extension
        if found.path is not None:
            return self._writer.put_artifact(run, name, found.path, extension=extension)

        def dump(file: BinaryIO) -> None:
            file.writelines(self._blocks(artifact))

        return self._writer.dump_artifact(run, name, dump, extension=extension)

    def _blocks(self, artifact: ArtifactDescriptor) -> Iterator[bytes]:
        with _reading(), self._source.open_artifact(artifact) as file:
            yield from iter(partial(file.read, _BLOCK), b"")

    def _lost(self, run: _Attempt, artifact: ArtifactDescriptor, reason: str) -> None:
        self._report.problems.append(
            f"run {run.run_id}: the artifact {artifact.name!r} was not copied: {reason}"
        )


class _UnreadableError(Exception):
    """The bytes of an artifact cannot be had from where they are copied from."""


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (OSError, StoreError, ValueError) as error:
        raise _UnreadableError(str(error)) from error


def _lacking(
    lines: Iterable[bytes], there: Sequence[bytes], window: _Window
) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield those lines about one run, and their documents, that the other lines lack."""
    known = set(there)
    new = [line for line in dict.fromkeys(lines) if line not in known]
    if not new:
        return
    twins = {_identity(line, _decode(line)): crc_of(line) for line in there}
    for line in new:
        document = _decode(line)
        identity = _identity(line, document)
        origin = document["id"], crc_of(line)
        if identity in twins:
            window.crcs[origin] = twins[identity]
        elif identity in window.records:
            window.records[identity].origins.append(origin)
        else:
            yield line, document


def _identity(line: bytes, document: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what copies of a line share, wherever they lie."""
    if not document.get("writer"):
        return (line,)
    keys = ("id", "t", "epoch", "attempt", "writer", "part", "seq", "name")
    return tuple(document.get(key) for key in keys)


def _descriptor(described: Mapping[str, Any]) -> ArtifactDescriptor:
    said = {key: described.get(key, "") for key in ("artifact_id", "name", "kind", "format", "uri")}
    return ArtifactDescriptor(
        **said,
        content_hash=described.get("content_hash"),
        size_bytes=described.get("size_bytes"),
    )
