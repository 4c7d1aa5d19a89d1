"""The store contract: what every store keeps, and how it is written and read.

A store keeps *lines*: one JSON document for each attempt at a run, and a few other kinds.
Lines are only ever added. The current record of a run is the greatest of its lines by the
order of ``metalab.store.fold``, so lines may arrive twice, late and in any order.
"""

from __future__ import annotations

import abc
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import attrs

from metalab.checkpoints import Checkpoints, MemoryCheckpoints, held
from metalab.errors import StoreError
from metalab.store.claiming import UNITS
from metalab.store.document import document_of, record_in, record_of
from metalab.store.lines import crc_of
from metalab.store.reading import ArtifactFile, Damage, LogLine, Loss, RunLog, RunState
from metalab.store.writing import Acknowledge, RunWriter, StoreWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, MutableMapping
    from pathlib import Path
    from types import TracebackType

    from metalab.checkpoints import Place
    from metalab.records import ArtifactDescriptor, RunRecord
    from metalab.store.claiming import Claims, Ending
    from metalab.store.config import StoreConfig
    from metalab.store.indexing import StoreIndex
    from metalab.store.maintenance import Compaction, Inspection
    from metalab.store.query.query import Query
    from metalab.store.query.table import Table

__all__ = [
    "Acknowledge",
    "ArtifactFile",
    "Damage",
    "LogLine",
    "Loss",
    "RunLog",
    "RunState",
    "RunWriter",
    "Store",
    "StoreWriter",
]


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
    def locator(self) -> str:
        """Name the store in one string, without secrets."""
        return self.config.locator

    @property
    def experiment_id(self) -> str | None:
        """The experiment whose store this is; None for a collection."""
        return self.config.experiment_id

    @property
    def is_scoped(self) -> bool:
        """Whether this is one experiment's store."""
        return self.config.is_scoped

    @property
    def index(self) -> StoreIndex | None:
        """The index that is kept beside the runs, if there is one; asking connects to nothing."""
        return None

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

    def claims(self, plan: str, runs: int, units: int = UNITS) -> Claims | None:  # noqa: ARG002  for stores that are shared
        """Return the claims on the units of a plan of so many runs, by the plan's digest.

        Whoever asks first cuts the plan into about so many ``units`` for all.

        None where a store is written by one launch at a time, as one in memory is.
        """
        return None

    def ending(self, writer: str) -> Ending | None:  # noqa: ARG002  as above
        """Return how a writer ended, or None if it may still be at work."""
        return None

    def secure(self, writer: str) -> None:  # noqa: B027  for stores whose writers die
        """Make durable what a writer of this machine had put when its process died."""

    @abc.abstractmethod
    def read(self, since: RunLog | None = None) -> RunLog:
        """Return what is stored now; ``since`` lets the store read only what is new."""

    def query(self, query: Query, log: RunLog | None = None) -> Table:
        """Answer a query about the runs, as ``metalab.store.query`` says.

        The answer is about what is stored now, or was when ``log`` was read. Raises QueryError
        for a name that no run has, or that may mean two things.
        """
        # Whoever writes has no queries, and a worker process starts the sooner without them.
        from metalab.store.query.answer import answer  # noqa: PLC0415

        return answer(query, self.read() if log is None else log)

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

    def put_patch(self, data: bytes) -> str:
        """Keep what was changed in a checkout, once for equal bytes; returns its sha256 in hex.

        A kind of store that keeps no such changes drops them: launches name them all the same.
        """
        return sha256(data).hexdigest()

    def get_patch(self, name: str) -> bytes | None:
        """Return what ``put_patch`` kept, by its sha256; None if it is not there.

        Raises StoreError if what is there is something else.
        """
        del name  # what no default can heed
        return None

    def launch_folder(self, launch: str) -> Path:
        """Return a launch's folder on a file system that all its workers share.

        An executor keeps there what it needs to find its workers again. It need not exist
        yet. Raises StoreError where this kind of store has no such folders.
        """
        del launch  # what no default can heed
        raise self._cannot("keep files of executors")

    def put_launch_file(self, launch: str, name: str, data: bytes) -> None:
        """Keep a file in a launch's folder, which is made; the file is whole and durable then.

        Raises StoreError as above, and where the store cannot be written to.
        """
        del launch, name, data  # as above
        raise self._cannot("keep files of executors")

    def put_payload(self, data: bytes) -> str:
        """Keep what other processes of this user are to execute, and return its sha256 in hex.

        Nobody else can read or replace it. Raises StoreError where this kind of store keeps
        no payloads, or cannot be written to.
        """
        del data  # what no default can heed
        raise self._cannot("keep payloads for other processes")

    def open_payload(self, name: str) -> BinaryIO:
        """Open a payload, by its sha256, which its reader has yet to compare.

        Raises StoreError if it is gone, or another user's.
        """
        del name  # as above
        raise self._cannot("keep payloads for other processes")

    def checkpoints(self, run_id: str, epoch: int, attempt: int) -> Checkpoints:
        """Return the checkpoints of a run, as an attempt at it keeps and finds them.

        They are in this process's memory, and end with it, unless the store keeps them.
        """
        return MemoryCheckpoints(self._held(run_id), epoch, attempt)

    def has_checkpoint(self, run_id: str, epoch: int, attempt: int) -> bool:
        """Tell whether an attempt has kept a checkpoint that the next one may go on from."""
        return (epoch, attempt) in self._held(run_id)

    @abc.abstractmethod
    def open_artifact(self, artifact: ArtifactDescriptor | str) -> BinaryIO:
        """Open an artifact's bytes, by descriptor or uri.

        Raises ValueError for a uri that leaves the store, StoreError if the bytes are gone or,
        as far as that is seen without reading a large artifact, damaged.
        """

    def map_artifact(self, artifact: ArtifactDescriptor) -> memoryview | None:  # noqa: ARG002  for stores of files
        """Map an artifact's bytes into memory, not to be written to; None where that cannot be.

        Raises as open_artifact does.
        """
        return None

    @abc.abstractmethod
    def get_log(self, run_id: str, name: str = "run") -> str | None:
        """Return a log of the run's current attempt, or None if it has none of that name."""

    @abc.abstractmethod
    def list_logs(self, run_id: str) -> list[str]:
        """List the names of the logs of the run's current attempt, sorted."""

    def compact(
        self,
        *,
        gzip: bool = False,
        drop_attempts: bool = False,
        dry_run: bool = False,
    ) -> Compaction:
        """Merge the files of writers that have ended into few, losing nothing.

        A store that keeps no files may make less of what it keeps in its own way. ``gzip``
        compresses them; ``drop_attempts`` leaves out attempts that another one has displaced,
        and what remains of forgotten runs; a ``dry_run`` writes nothing. Raises StoreError
        where this kind of store cannot be compacted, or cannot be written to.
        """
        del gzip, drop_attempts, dry_run  # what no default can heed
        raise self._cannot("be compacted")

    def inspect(self, *, remove_strays: bool = False) -> Inspection:
        """Check all that is kept, and say what is not as it was written; writes nothing.

        ``remove_strays`` removes temporary files that no process can be using any more, and
        checkpoints that no attempt will go on from.
        Raises StoreError where this kind of store cannot be inspected.
        """
        del remove_strays  # as above
        raise self._cannot("be inspected")

    @abc.abstractmethod
    def logs(self) -> Mapping[str, Iterable[LogLine]]:
        """Return all that was logged, of every attempt, by writer, in the order written."""

    def place_of_log(self, writer: str) -> str:
        """Say, in words for people, where a writer's logs lie; empty if it has logged nothing."""
        return f"that of {writer} in {self.locator}" if writer in self.logs() else ""

    def artifact_file(self, artifact: ArtifactDescriptor) -> ArtifactFile:  # noqa: ARG002  for stores that know more
        """Tell what is known of an artifact's bytes besides its descriptor.

        A store that keeps large artifacts names their files, so that a copy of one need not
        pass through memory.
        """
        return ArtifactFile()

    @abc.abstractmethod
    def close(self) -> None:
        """Release what the store holds open; it may be used again."""

    def is_closed(self) -> bool:
        """Tell whether nothing can be written here; ``beside`` then can be written to."""
        return False

    def beside(self) -> Store | None:
        """Return where this user keeps what is derived from a store that is, or was, closed."""
        return None

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
        """Forget a run: it counts as never run. Its bytes stay until
        ``compact(drop_attempts=True)``.
        """
        self.delete_runs([run_id])

    def delete_runs(self, run_ids: Iterable[str]) -> None:
        """Forget runs, as ``delete_run`` does; those without a record are passed over."""
        log = self.read()
        known = [(run_id, state) for run_id in run_ids if (state := log.state(run_id)) is not None]
        if not known:
            return
        with self.own_writer() as writer:
            for run_id, state in known:
                writer.forget(run_id, state.epoch + 1)
        for run_id, state in known:
            self.checkpoints(run_id, state.epoch, state.attempt).clear()

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
            kept = record_in(log, record.run_id)
            same = attrs.evolve(record, launch=record.launch or kept.launch)
            if document_of(same) == document_of(kept):  # there NaN equals NaN
                return
            record = attrs.evolve(record, attempt=record.attempt + 1)
        with self.own_writer() as writer:
            writer.put(record)

    def get_run_record(self, run_id: str) -> RunRecord | None:
        """Return the current record of a run, or None."""
        log = self.read()
        return record_in(log, run_id) if run_id in log else None

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

    def _held(self, run_id: str) -> MutableMapping[Place, bytes]:
        return held(self.locator, self.experiment_id or "", run_id)

    def _cannot(self, what: str) -> StoreError:
        return StoreError(
            f"{self.locator}: stores of the kind {self.config.scheme!r} cannot {what}"
        )

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
