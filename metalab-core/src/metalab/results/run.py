"""Runs: one run's record, and what it captured, read when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.results.cells import spelled
from metalab.results.experiment import ExperimentInfo
from metalab.results.freshness import values_of
from metalab.results.lookup import missing
from metalab.results.origin import provenance_of
from metalab.results.reader import Reader
from metalab.serializers import Mappable, serializer_named
from metalab.store.document import record_of
from metalab.store.launches import patch_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from metalab.records import ArtifactDescriptor, ErrorInfo, Provenance, RunRecord, Status
    from metalab.results.differences import Differences
    from metalab.store.base import Store

__all__ = ["Run"]

_SHORT = 8
_SHOWN = 4


class Run:
    """One run of an experiment: what it was given, how it ended and what it captured.

    ``record`` is the record of its current attempt. Artifacts, data, logs and series are
    read from the store each time they are asked for.
    """

    __slots__ = ("_reader", "_record")

    def __init__(
        self, record: RunRecord | Run, store: Store, *, reader: Reader | None = None
    ) -> None:
        self._record = record.record if isinstance(record, Run) else record
        self._reader = reader or Reader(store)

    @property
    def record(self) -> RunRecord:
        """The record of the current attempt."""
        return self._record

    @property
    def run_id(self) -> str:
        """The run's id: 32 hexadecimal digits."""
        return self._record.run_id

    @property
    def experiment_id(self) -> str:
        """The experiment's name and version."""
        return self._record.experiment_id

    @property
    def status(self) -> Status:
        """How the run ended, or that it has not."""
        return self._record.status

    @property
    def params(self) -> dict[str, Any]:
        """The params that the operation received."""
        return self._record.params_resolved

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics captured, of each series the last value."""
        return self._record.metrics

    @property
    def tags(self) -> list[str]:
        """The tags of the experiment, the case and the run."""
        return self._record.tags

    @property
    def seed(self) -> int | None:
        """The root seed."""
        return self._record.seed

    @property
    def replicate(self) -> int | None:
        """The replicate's index."""
        return self._record.replicate

    @property
    def duration_ms(self) -> float | None:
        """How long the operation took, in milliseconds; None while it is running."""
        return self._record.duration_ms

    @property
    def started_at(self) -> datetime:
        """When the run began, in UTC."""
        return self._record.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When the run ended, in UTC; None while it is running."""
        return self._record.finished_at

    @property
    def error(self) -> ErrorInfo | None:
        """Why the run failed: ``type``, ``message`` and ``traceback``; None if it did not."""
        return self._record.error

    @property
    def provenance(self) -> Provenance:
        """What made the record: its code, its worker, and in ``extra`` its launch.

        ``extra["launch"]`` is the launch's name, and ``git``, ``packages``, ``machine``,
        ``variables`` and more are what was so where it was started. What is not known is
        missing or None.
        """
        return provenance_of(self._record, self._reader)

    def patch(self) -> bytes | None:
        """Return what was changed in the checkout since its commit, as ``git diff`` tells it.

        At most 1 MiB is kept; ``provenance.extra["git"]["diff"]`` says whether that is all.
        None if nothing was changed, or if it is not known. Raises StoreError if it is damaged.
        """
        name = patch_of(self._reader.launch(self._record.launch or ""))
        return None if name is None else self._reader.store.get_patch(name)

    def diff(self, other: Run) -> Differences:
        """Tell in what this run and another differ: params, code, environment, metrics, time.

        The other run may be of another experiment and in another store.
        """
        from metalab.results.differences import differences  # noqa: PLC0415  it is rarely wanted

        return differences(self, other)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What was asked for when this run was executed, as strict JSON; empty if unknown."""
        name = self._record.manifest
        return {} if name is None else self._reader.manifest(name)

    @property
    def experiment(self) -> ExperimentInfo:
        """The experiment as it was when this run was executed."""
        return ExperimentInfo.of(self.experiment_id, self._reader.manifest(self._record.manifest))

    @property
    def derived(self) -> dict[str, Any]:
        """The derived metrics kept for the current record, by name."""
        return values_of(self._reader.derived(self.run_id))

    def artifacts(self) -> list[ArtifactDescriptor]:
        """List what the run kept as artifacts, in the order it did."""
        return list(self._record.artifacts)

    def artifact(self, name: str, *, allow_pickle: bool = False, mmap: bool = False) -> Any:
        """Load an artifact.

        With ``mmap`` an array is not read but mapped from the store's file: it takes no memory
        before it is looked at, and cannot be written to; what cannot be mapped is read. A
        pickle can do anything when it is loaded, so it needs ``allow_pickle=True``.
        Raises KeyError, listing the artifacts there are.
        """
        found = [artifact for artifact in self._record.artifacts if artifact.name == name]
        # A structure too large for the record lies beside the artifacts, and may share a name.
        found.sort(key=lambda artifact: artifact.kind != "data")
        if not found:
            names = {artifact.name for artifact in self._record.artifacts}
            raise missing(f"{self} has", "artifact", name, names)
        return self._load(found[-1], allow_pickle=allow_pickle, mmap=mmap)

    def data(self, name: str) -> Any:
        """Return a structure captured with ``capture.data``, or a metric series.

        A series is a list of (step, value). Raises KeyError, listing the data there are.
        """
        if name in self._record.data:
            return self._record.data[name]
        for artifact in self._record.artifacts:
            if artifact.kind == "data" and artifact.name == name:
                return self._load(artifact, allow_pickle=False)
        series = self._series()
        if name not in series:
            raise missing(f"{self} has", "data", name, self.list_data())
        return series[name]

    def list_data(self) -> list[str]:
        """List the names that ``data`` takes, sorted."""
        kept = (artifact.name for artifact in self._record.artifacts if artifact.kind == "data")
        return sorted({*self._record.data, *kept, *self._series()})

    def series(self, name: str) -> list[tuple[int | float, Any]]:
        """Return a metric captured with steps as a list of (step, value).

        Raises KeyError, listing the series there are.
        """
        series = self._series()
        if name not in series:
            raise missing(f"{self} has", "series", name, series)
        return series[name]

    def log(self, name: str = "run") -> str:
        """Return a log of the current attempt; empty if nothing was logged.

        Raises KeyError for another name than ``run``, listing the logs there are.
        """
        store = self._reader.store
        text = store.get_log(self.run_id, name)
        if text is None and name != "run":
            raise missing(f"{self} has", "log", name, store.list_logs(self.run_id))
        return text or ""

    def attempts(self) -> list[RunRecord]:
        """Return the record of every attempt at the run, the oldest first."""
        return [record_of(line) for line in self._reader.log.attempts(self.run_id)]

    def __repr__(self) -> str:
        """Name the run by the first digits of its id, its status and what it was given."""
        shown = [f"{key}={spelled(value)}" for key, value in list(self.params.items())[:_SHOWN]]
        if self.replicate is not None:
            shown.append(f"replicate={self.replicate}")
        return f"Run({' '.join([self.run_id[:_SHORT], str(self.status), *shown])})"

    def _series(self) -> Mapping[str, list[tuple[int | float, Any]]]:
        log = self._reader.log
        return log.series(self.run_id) if self.run_id in log else {}

    def _bytes(self, artifact: ArtifactDescriptor) -> bytes:
        with self._reader.store.open_artifact(artifact) as file:
            return file.read()

    def _load(self, artifact: ArtifactDescriptor, *, allow_pickle: bool, mmap: bool = False) -> Any:
        serializer = serializer_named(artifact.format, allow_pickle=allow_pickle)
        if mmap and isinstance(serializer, Mappable):
            memory = self._reader.store.map_artifact(artifact)
            return serializer.view(memoryview(self._bytes(artifact)) if memory is None else memory)
        with self._reader.store.open_artifact(artifact) as file:
            return serializer.load(file)
