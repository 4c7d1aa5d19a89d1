"""Copying one experiment: every line as it was written, after the artifacts that it names.

A line keeps its writer, part and number, so that it has the same place in the order of the
other store, and is known there when it comes again. Only where an artifact's uri has to
change is a line written anew, and then the values derived from it follow.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import msgspec

from metalab.errors import StoreError
from metalab.records import ArtifactDescriptor
from metalab.store.lines import crc_of, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from metalab.store.reading import ArtifactFile, Damage, LogLine, RunLog, RunState
    from metalab.store.writing import StoreWriter

__all__ = ["Contents", "LineCopier", "Source", "SourceLog", "TransferReport", "resealed", "windows"]

_WINDOW = 256  # runs whose lines are in memory at once
_decode = msgspec.json.Decoder().decode


class SourceLog(Protocol):
    """The part of a RunLog that is copied."""

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What could not be read."""
        ...

    def __contains__(self, run_id: object) -> bool: ...
    def state(self, run_id: str) -> RunState | None: ...
    def lines(self, run_ids: Iterable[str]) -> Iterator[bytes]: ...
    def subjects(self) -> Iterator[str]: ...
    def history(self, run_ids: Iterable[str]) -> Iterator[list[bytes]]: ...


class Source(Protocol):
    """The part of a Store that is copied, for one experiment; a Store is one."""

    @property
    def locator(self) -> str:
        """Where it is, for people."""
        ...

    def read(self) -> SourceLog: ...
    def manifests(self) -> dict[str, dict[str, Any]]: ...
    def launches(self) -> dict[str, dict[str, Any]]: ...
    def logs(self) -> Mapping[str, Iterable[LogLine]]: ...
    def artifact_file(self, artifact: ArtifactDescriptor) -> ArtifactFile: ...
    def open_artifact(self, artifact: ArtifactDescriptor) -> BinaryIO: ...


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


def windows(run_ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield runs some at a time."""
    rest = iter(run_ids)
    while window := list(islice(rest, _WINDOW)):
        yield window


def resealed(document: Mapping[str, Any], **changes: Any) -> bytes:
    """Return the line of a document with other values for some keys, without a line feed."""
    body = {key: value for key, value in {**document, **changes}.items() if key != "crc"}
    return line_of(body)[:-1]


class LineCopier:
    """Copies what a store lacks of another's lines, window by window.

    ``manifests`` are the names of the source's manifests here.
    """

    def __init__(
        self,
        source: Source,
        log: SourceLog,
        kept: RunLog,
        writer: StoreWriter,
        contents: Contents,
        report: TransferReport,
        manifests: Mapping[str, str],
    ) -> None:
        self._source = source
        self._log = log
        self._kept = kept
        self._writer = writer
        self._contents = contents
        self._report = report
        self._manifests = manifests

    def copy(self, run_ids: Sequence[str]) -> None:
        """Copy the lines about these runs, durably."""
        histories = zip(
            run_ids, self._log.history(run_ids), self._kept.history(run_ids), strict=True
        )
        before = self._report.artifacts
        ready: list[bytes] = []
        for run_id, lines, there in histories:
            ready += self._lacking(lines, there)
            self._report.runs += self._is_new(run_id)
        if self._report.artifacts > before:
            self._writer.flush()  # no line may name what is not durable yet
        for line in ready:
            self._writer.copy(line)
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

    def _lacking(self, lines: Iterable[bytes], there: Sequence[bytes]) -> Iterator[bytes]:
        """Yield those lines about one run that the other lines lack, as they are to be here."""
        known = set(there)
        new = [line for line in dict.fromkeys(lines) if line not in known]
        if not new:
            return
        twins = {_identity(line, _decode(line)): crc_of(line) for line in there}
        crcs: dict[str, str] = {}  # of records written anew, by those that they had
        documents = [(line, _decode(line)) for line in new]
        for line, document in sorted(documents, key=lambda pair: pair[1]["t"] == "derived"):
            identity = _identity(line, document)
            if identity not in twins:
                if document["t"] == "derived" and not self._contents.derived:
                    continue
                written = self._written(line, document, crcs)
                twins[identity] = crc_of(written)
                yield written
            crcs[crc_of(line)] = twins[identity]

    def _written(self, line: bytes, document: dict[str, Any], crcs: Mapping[str, str]) -> bytes:
        if document["t"] in {"run", "start"}:
            changed = document.get("artifacts") or document.get("manifest")
            return self.record(document) if changed else line
        if document["t"] == "derived":
            self._report.derived += 1
            of = document.get("of", "")
            return line if crcs.get(of, of) == of else resealed(document, of=crcs[of])
        return line

    def _artifact(self, run: _Attempt, described: dict[str, Any]) -> dict[str, Any]:
        """Keep an artifact here and return what its record says of it."""
        artifact = _descriptor(described)
        try:
            found = self._source.artifact_file(artifact)
            content = self._content(artifact, found)
        except (OSError, StoreError, ValueError) as error:
            self._lost(run, artifact, str(error))
            return described
        uri, digest, size = self._writer.put_artifact(
            run, artifact.name, content, extension=found.extension
        )
        if artifact.content_hash not in {None, digest}:
            self._lost(run, artifact, f"its bytes are damaged, their sha256 is {digest}")
            return described
        self._report.artifacts += 1
        return {**described, "uri": uri, "content_hash": digest, "size_bytes": size}

    def _content(self, artifact: ArtifactDescriptor, found: ArtifactFile) -> bytes | Path:
        if found.path is not None:
            return found.path
        with self._source.open_artifact(artifact) as file:
            return file.read()

    def _lost(self, run: _Attempt, artifact: ArtifactDescriptor, reason: str) -> None:
        self._report.problems.append(
            f"run {run.run_id}: the artifact {artifact.name!r} was not copied: {reason}"
        )


def _identity(line: bytes, document: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what copies of a line share, wherever they lie."""
    if not document.get("writer"):
        return (line,)
    keys = ("t", "epoch", "attempt", "writer", "part", "seq", "name")
    return tuple(document.get(key) for key in keys)


def _descriptor(described: Mapping[str, Any]) -> ArtifactDescriptor:
    said = {key: described.get(key, "") for key in ("artifact_id", "name", "kind", "format", "uri")}
    return ArtifactDescriptor(
        **said,
        content_hash=described.get("content_hash"),
        size_bytes=described.get("size_bytes"),
    )
