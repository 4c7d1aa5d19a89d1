"""One experiment in a folder of the earlier layout, as a source to copy from.

Each record becomes the line of a first attempt. Its place in the order is taken from the
record itself, so that importing it again gives the same line.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs

from metalab.errors import MetalabError, StoreError
from metalab.identity.values import to_jsonable
from metalab.records import ArtifactDescriptor, Status
from metalab.serializers.forms import json_text
from metalab.store.document import record_line
from metalab.store.earlier.records import LAUNCH, descriptor_of, record_of, run_id_of
from metalab.store.file import disk
from metalab.store.lines import Stamp, crc_of, derived_document, line_of
from metalab.store.names import file_name
from metalab.store.reading import ArtifactFile, Damage, LogLine, RunState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from metalab.records import RunRecord
    from metalab.store.earlier.folder import EarlierFolder

__all__ = ["EarlierLog", "EarlierSource"]

_WRITER = "import"
_DERIVED = "import"
_MICROSECOND = timedelta(microseconds=1)
_INLINE = 32 << 10  # bytes of JSON that a record holds itself, as when it is captured
_WRAPPED = {"data", "dtype", "shape", "metadata"}


@attrs.frozen
class EarlierSource:
    """The runs of one experiment; ``runs`` maps their ids here to (name, status).

    What cannot be read is added to ``problems``, in words; a run is then left out.
    """

    folder: EarlierFolder
    experiment_id: str
    runs: dict[str, tuple[str, Status]]
    problems: list[str]

    @property
    def locator(self) -> str:
        """The folder's path."""
        return str(self.folder.path)

    def read(self) -> EarlierLog:
        """Return the runs; their files are read when they are asked for."""
        return EarlierLog(self)

    def manifests(self) -> dict[str, dict[str, Any]]:
        """Return the manifests that are this experiment's, oldest first."""
        found = {}
        stem = self.experiment_id.replace(":", "_")
        for path in self.folder.manifests():
            try:
                document = self.folder.read(path)
            except StoreError as error:
                self.problems.append(str(error))
                continue
            if isinstance(document, dict) and self._is_ours(document, path.stem, stem):
                found[path.stem] = to_jsonable(document)
        return found

    def launches(self) -> dict[str, dict[str, Any]]:
        """Return nothing: the earlier layout keeps no launches."""
        return {}

    def get_patch(self, name: str) -> None:
        """Return nothing, as there are no launches that could name any."""

    def logs(self) -> dict[str, Iterable[LogLine]]:
        """Return the log lines of all runs, as one writer's."""
        ours = {name: run_id for run_id, (name, _) in self.runs.items()}
        files, _ = self.folder.logs(list(ours))
        return {_WRITER: _LogLines([(ours[run], name, path) for run, name, path in files])}

    def artifact_file(self, artifact: ArtifactDescriptor) -> ArtifactFile:
        """Tell where an artifact's bytes lie."""
        if artifact.uri.startswith("results/"):
            return ArtifactFile("json")
        _, run, name = artifact.uri.split("/", 2)
        path = self.folder.artifact(run, name, name)
        if path is None:
            raise StoreError(f"there is no file for it in {self.folder.path / 'artifacts' / run}")
        return ArtifactFile(path.suffix.removeprefix("."), path)

    def open_artifact(self, artifact: ArtifactDescriptor) -> BinaryIO:
        """Open structured data that is too large for a record, as this layout writes it."""
        value, _ = _unwrapped(self.folder.read(self.folder.path / artifact.uri))
        return io.BytesIO(json_text(value, artifact.name, exact=False))

    def lines(self, run_id: str) -> list[bytes]:
        """Return the lines of a run, its record's first; none where that is damaged."""
        run, _ = self.runs[run_id]
        try:
            record = self._record(run)
            line = record_line(record, _stamp(_microseconds(record)))
            return [line[:-1], *self._derived(run, run_id, crc_of(line))]
        except (MetalabError, ValueError) as error:
            self.problems.append(f"{self.folder.path / 'runs' / run}.json: {error}")
            del self.runs[run_id]
            return []

    def _is_ours(self, document: Mapping[str, Any], stem: str, ours: str) -> bool:
        named = document.get("experiment_id") or f"{document.get('name')}:{document.get('version')}"
        return named == self.experiment_id or stem.startswith(f"{ours}_")

    def _record(self, run: str) -> RunRecord:
        document = self.folder.record(run)
        record = record_of(run, self.experiment_id, document)
        artifacts = list(self._artifacts(run, document.get("artifacts")))
        data = {}
        for path in self.folder.data(run):
            try:
                value, metadata = _unwrapped(self.folder.read(path))
            except StoreError as error:
                self.problems.append(str(error))
                continue
            if metadata or len(json_text(value, path.stem, exact=False)) > _INLINE:
                artifacts.append(_data_artifact(run, path, metadata))
            else:
                data[path.stem] = value
        return attrs.evolve(record, artifacts=artifacts, data=data)

    def _artifacts(self, run: str, listed: Any) -> Iterator[ArtifactDescriptor]:
        beside: list[Any] = []
        try:
            beside = self.folder.artifact_descriptors(run)
        except StoreError as error:
            self.problems.append(str(error))
        described = [*(listed if isinstance(listed, list) else ()), *beside]
        by_name = {each.get("name"): each for each in described if isinstance(each, dict)}
        for name, each in by_name.items():
            uri = str(each.get("uri") or "")
            path = self.folder.artifact(run, uri, str(name))
            yield descriptor_of(each, f"artifacts/{run}/{name if path is None else path.name}")

    def _derived(self, run: str, run_id: str, of: str) -> list[bytes]:
        try:
            values, written = self.folder.derived(run)
        except StoreError as error:
            self.problems.append(str(error))
            return []
        if not values:
            return []
        document = derived_document(
            run_id, _DERIVED, values, _stamp(written), code="", of=of, rev=1
        )
        return [line_of(document)[:-1]]


@attrs.frozen
class EarlierLog:
    """What ``EarlierSource.read`` returns."""

    source: EarlierSource
    damage: tuple[Damage, ...] = ()

    def __contains__(self, run_id: object) -> bool:
        """Tell whether the run has a record."""
        return run_id in self.source.runs

    def state(self, run_id: str) -> RunState | None:
        """Return what resuming must know of a run."""
        found = self.source.runs.get(run_id)
        return None if found is None else RunState(found[1], 0, 1, "")

    def lines(self, run_ids: Iterable[str]) -> Iterator[bytes]:
        """Yield the record's line of each run; StoreError where it can be read no more."""
        for run_id in run_ids:
            lines = self.source.lines(run_id)
            if not lines:
                raise StoreError(f"{self.source.problems[-1]}; it changed while it was imported")
            yield lines[0]

    def subjects(self) -> Iterator[str]:
        """Yield the id of every run."""
        return iter(list(self.source.runs))

    def history(self, run_ids: Iterable[str]) -> Iterator[list[bytes]]:
        """Yield the lines of each run."""
        return map(self.source.lines, run_ids)


@attrs.frozen
class _LogLines:
    """The lines of log files, each given as (id of the run, name of the log, file)."""

    files: list[tuple[str, str, Path]]

    def __iter__(self) -> Iterator[LogLine]:
        for run_id, name, path in self.files:
            text = disk.read_all(path).removesuffix(b"\n")
            for line in text.split(b"\n") if text else ():
                yield LogLine(
                    run_id, 0, 1, file_name(name), line.decode("utf-8", "surrogateescape")
                )


def _stamp(number: int) -> Stamp:
    return Stamp(_WRITER, 1, number, LAUNCH)


def _microseconds(record: RunRecord) -> int:
    moment = record.finished_at or record.started_at
    return max((moment - datetime.fromtimestamp(0, UTC)) // _MICROSECOND, 0)


def _unwrapped(value: Any) -> tuple[Any, dict[str, Any]]:
    """Return a structure, and its metadata, from what the file holds."""
    if isinstance(value, dict) and "data" in value and value.keys() <= _WRAPPED:
        metadata = value.get("metadata")
        return value["data"], metadata if isinstance(metadata, dict) else {}
    return value, {}


def _data_artifact(run: str, path: Path, metadata: dict[str, Any]) -> ArtifactDescriptor:
    return ArtifactDescriptor(
        artifact_id=f"{run_id_of(run)}-{path.stem}",
        name=path.stem,
        kind="data",
        format="builtins/json",
        uri=f"results/{run}/{path.name}",
        metadata=metadata,
    )
