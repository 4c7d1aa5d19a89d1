"""The store contract: what every store keeps, and how it is written and read.

A store keeps *lines*: one JSON document for each attempt at a run, and a few other kinds.
Lines are only ever added. The current record of a run is the greatest of its lines by the
order of ``metalab.store.fold``, so lines may arrive twice, late and in any order.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import attrs

from metalab.records import ArtifactDescriptor, RunRecord, Status
from metalab.store.document import record_of
from metalab.store.lines import crc_of

if TYPE_CHECKING:
    from pathlib import Path

    from metalab.store.config import StoreConfig

__all__ = ["Acknowledge", "Damage", "RunLog", "RunState", "RunWriter", "Store", "StoreWriter"]

Acknowledge = Callable[[], None]


@attrs.frozen
class RunState:
    """What resuming must know of a run: its current status, attempt and code fingerprint."""

    status: Status
    epoch: int
    attempt: int
    code: str


@attrs.frozen
class Damage:
    """A stored line that could not be read: where it is and what is wrong with it."""

    place: str
    reason: str


class RunWriter(abc.ABC):
    """Writes the runs of one worker. Methods may be called from several threads.

    What is put is readable by other processes at once and survives a kill of this one;
    ``acknowledged`` is called, on another thread, once it would survive the machine too.
    """

    name: str

    @abc.abstractmethod
    def start(self, record: RunRecord) -> None:
        """Note that a run has begun; its line is written only if the run lasts."""

    @abc.abstractmethod
    def put(self, record: RunRecord, acknowledged: Acknowledge | None = None) -> None:
        """Write the record of a run that has ended."""

    @abc.abstractmethod
    def put_series(
        self,
        record: RunRecord,
        name: str,
        points: Sequence[tuple[int | float, Any]],
    ) -> None:
        """Write further points (step, value) of a run's metric series."""

    @abc.abstractmethod
    def put_artifact(
        self,
        record: RunRecord,
        name: str,
        source: bytes | Path,
        *,
        extension: str,
    ) -> tuple[str, str, int]:
        """Keep the bytes (or the file) of an artifact: its uri in the store, sha256, size."""

    @abc.abstractmethod
    def append_log(self, record: RunRecord, text: str, name: str = "run") -> None:
        """Add one line to a log of a run."""

    @abc.abstractmethod
    def flush(self) -> None:
        """Return once everything put so far is durable and acknowledged."""

    @abc.abstractmethod
    def close(self) -> None:
        """Flush, and end this writer for good."""

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the writer."""
        self.close()


class StoreWriter(RunWriter):
    """A store's writer of runs, which also writes what is said about runs afterwards."""

    @abc.abstractmethod
    def put_derived(
        self,
        run_id: str,
        name: str,
        values: Mapping[str, Any],
        *,
        code: str,
        of: str,
        rev: int = 1,
    ) -> None:
        """Write values derived from the record whose line has the crc ``of``.

        ``name`` is their function's, ``code`` its fingerprint; of several for one name the
        greatest ``rev`` counts.
        """

    @abc.abstractmethod
    def forget(self, run_id: str, epoch: int) -> None:
        """Write that a run's lines before an epoch count no more."""


class RunLog(abc.ABC):
    """The folded lines of one experiment at one moment; immutable."""

    damage: tuple[Damage, ...] = ()

    @abc.abstractmethod
    def __len__(self) -> int:
        """Count the runs that have a record, running ones included."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[str]:
        """Yield the ids of those runs, in no promised order."""

    def __contains__(self, run_id: object) -> bool:
        """Tell whether the run has a record."""
        return isinstance(run_id, str) and self.state(run_id) is not None

    @abc.abstractmethod
    def state(self, run_id: str) -> RunState | None:
        """Return what resuming must know of a run, or None."""

    @abc.abstractmethod
    def forgotten(self, run_id: str) -> int:
        """Return the epoch in which a forgotten run begins anew; 0 if it was never forgotten."""

    @abc.abstractmethod
    def lines(self, run_ids: Iterable[str] | None = None) -> Iterator[bytes]:
        """Yield the current line of each run: JSON as ``metalab.store.document`` says.

        With ``run_ids``, of those runs in that order; a run without a record is a KeyError.
        """

    @abc.abstractmethod
    def attempts(self, run_id: str) -> list[bytes]:
        """Return every line kept of a run's attempts, oldest attempt first."""

    @abc.abstractmethod
    def series(self, run_id: str) -> dict[str, list[tuple[int | float, Any]]]:
        """Return the metric series of a run's current attempt: name -> (step, value)s."""

    @abc.abstractmethod
    def derived(self, run_id: str) -> dict[str, Mapping[str, Any]]:
        """Return a run's derived values by the name of the function that made them.

        Each has ``values``, ``code`` (the function's fingerprint), ``of`` (the crc of the
        record's line they were computed from: stale where that is not the current one) and
        ``rev``.
        """


class Store(abc.ABC):
    """Keeps what runs leave behind: the records of one experiment, or a collection of them.

    Reading writes nothing. Every method that takes a ``run_id`` takes the full id. The
    methods that write or read runs raise ValueError on a collection: scope it first.
    """

    @property
    @abc.abstractmethod
    def config(self) -> StoreConfig:
        """From what this store can be opened again."""

    @property
    @abc.abstractmethod
    def locator(self) -> str:
        """Name the store in one string, without secrets."""

    @property
    def experiment_id(self) -> str | None:
        """The experiment whose store this is; None for a collection."""
        return self.config.experiment_id

    @property
    def is_scoped(self) -> bool:
        """Whether this is one experiment's store."""
        return self.config.is_scoped

    @abc.abstractmethod
    def scoped(self, experiment_id: str) -> Store:
        """Return one experiment's store of this collection, making it on the first write."""

    @abc.abstractmethod
    def list_experiments(self) -> list[str]:
        """List the experiments kept here, sorted."""

    @abc.abstractmethod
    def writer(
        self, launch: str, task: str = "0", *, executor: str = "", owner: str = ""
    ) -> StoreWriter:
        """Return a new writer for one worker of a launch; nothing is written before a put.

        ``executor`` and ``owner`` say who can tell whether the worker still lives: the
        executor's name, and what that executor calls the worker.
        """

    @abc.abstractmethod
    def read(self, since: RunLog | None = None) -> RunLog:
        """Return what is stored now; ``since`` lets the store read only what is new."""

    @abc.abstractmethod
    def put_manifest(self, manifest: Mapping[str, Any]) -> str:
        """Keep an experiment manifest, once for equal content, and return its name."""

    @abc.abstractmethod
    def manifests(self) -> dict[str, dict[str, Any]]:
        """Return every manifest by name, oldest first."""

    @abc.abstractmethod
    def put_launch(self, launch: str, document: Mapping[str, Any]) -> None:
        """Keep what one call of ``metalab.run`` was asked to do, and where."""

    @abc.abstractmethod
    def launches(self) -> dict[str, dict[str, Any]]:
        """Return what ``put_launch`` kept, by launch, oldest first."""

    @abc.abstractmethod
    def open_artifact(self, artifact: ArtifactDescriptor | str) -> BinaryIO:
        """Open an artifact's bytes, by descriptor or uri.

        Raises ValueError for a uri that leaves the store, StoreError if the bytes are gone.
        """

    @abc.abstractmethod
    def get_log(self, run_id: str, name: str = "run") -> str | None:
        """Return a log of the run's current attempt, or None if it has none of that name."""

    @abc.abstractmethod
    def list_logs(self, run_id: str) -> list[str]:
        """List the names of the logs of the run's current attempt, sorted."""

    @abc.abstractmethod
    def close(self) -> None:
        """Release what the store holds open; it may be used again."""

    @contextmanager
    def own_writer(self) -> Iterator[StoreWriter]:
        """Lend a writer for what no worker of a launch writes; all is durable afterwards."""
        with self.writer("manual") as writer:
            yield writer

    def put_derived(
        self, run_id: str, name: str, values: Mapping[str, Any], *, code: str = ""
    ) -> None:
        """Keep values derived from a run's current record, by the name of their function.

        Raises KeyError if the run has no record.
        """
        log = self.read()
        of = crc_of(next(log.lines([run_id])))
        known = log.derived(run_id).get(name, {})
        with self.own_writer() as writer:
            writer.put_derived(run_id, name, values, code=code, of=of, rev=known.get("rev", 0) + 1)

    def delete_run(self, run_id: str) -> None:
        """Forget a run: it counts as never run. Its bytes stay until the store is compacted."""
        state = self.read().state(run_id)
        if state is not None:
            with self.own_writer() as writer:
                writer.forget(run_id, state.epoch + 1)

    def put_run_record(self, record: RunRecord) -> None:
        """Keep one record durably, as a worker would.

        It never displaces a success. Where it differs from a kept record of the same
        attempt and status it becomes a further attempt; a forgotten run has a record again.
        """
        log = self.read()
        state = log.state(record.run_id)
        if state is None:
            record = attrs.evolve(record, epoch=max(record.epoch, log.forgotten(record.run_id)))
        elif (state.epoch, state.status, state.attempt) == (
            record.epoch,
            record.status,
            record.attempt,
        ):
            if record_of(next(log.lines([record.run_id]))) == record:
                return
            record = attrs.evolve(record, attempt=record.attempt + 1)
        with self.own_writer() as writer:
            writer.put(record)

    def get_run_record(self, run_id: str) -> RunRecord | None:
        """Return the current record of a run, or None."""
        log = self.read()
        return record_of(next(log.lines([run_id]))) if run_id in log else None

    def list_run_records(self, experiment_id: str | None = None) -> list[RunRecord]:
        """Return the current record of every run, by index in the plan, then by id.

        On a collection ``experiment_id`` is needed and chooses the experiment.
        """
        store = self if experiment_id is None else self.scoped(experiment_id)
        records = [record_of(line) for line in store.read().lines()]
        return sorted(records, key=lambda record: (record.index, record.run_id))

    def run_exists(self, run_id: str) -> bool:
        """Tell whether the run has a record, whatever its status."""
        return run_id in self.read()

    def get_derived(self, run_id: str) -> dict[str, Mapping[str, Any]]:
        """Return a run's derived values by the name of the function that made them."""
        return self.read().derived(run_id)

    def list_artifacts(self, run_id: str) -> list[ArtifactDescriptor]:
        """List the artifacts of the run's current record."""
        record = self.get_run_record(run_id)
        return [] if record is None else list(record.artifacts)

    def get_experiment_manifest(self, experiment_id: str | None = None) -> dict[str, Any] | None:
        """Return the newest manifest, or None where nothing was run yet."""
        store = self if experiment_id is None else self.scoped(experiment_id)
        kept = store.manifests()
        return kept[next(reversed(kept))] if kept else None

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()
