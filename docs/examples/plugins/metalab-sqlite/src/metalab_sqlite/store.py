"""The store: one SQLite file, for one experiment or a collection of them."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote

from metalab.errors import StoreError, StoreNotFoundError
from metalab.store.base import ArtifactFile, RunLog, Store
from metalab.store.claiming import UNITS
from metalab.store.file.inquiry import Inquiry
from metalab.store.names import file_name
from metalab_sqlite import documents, inspection
from metalab_sqlite.artifacts import extension_of, open_uri
from metalab_sqlite.checkpoints import SqliteCheckpoints, has_checkpoint
from metalab_sqlite.claims import SqliteClaims
from metalab_sqlite.database import Database
from metalab_sqlite.liveness import ending_of, sync
from metalab_sqlite.logs import LogLines, logs_by_writer, logs_of_run
from metalab_sqlite.runlog import SqliteRunLog, read_on
from metalab_sqlite.writer import SqliteWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.records import ArtifactDescriptor
    from metalab.store.claiming import Ending
    from metalab.store.maintenance import Inspection
    from metalab_sqlite.config import SqliteStoreConfig

__all__ = ["SqliteStore"]

_EXPERIMENTS = "SELECT id FROM experiments ORDER BY id"


class SqliteStore(Store):
    """Keeps experiments in a SQLite file; see Store for what the methods promise."""

    def __init__(self, config: SqliteStoreConfig) -> None:
        self._config = config
        self._database = self._another_database()
        self._log: SqliteRunLog | None = None
        self._inquiry = Inquiry()

    def __repr__(self) -> str:
        scope = f", experiment_id={self.experiment_id!r}" if self.is_scoped else ""
        return f"SqliteStore({self._config.path!r}{scope})"

    @property
    def config(self) -> SqliteStoreConfig:
        """From what this store can be opened again."""
        return self._config

    def make(self) -> None:
        """Make the file where there is none; raises StoreError where that cannot be."""
        self._database.make()
        self.list_experiments()  # which looks whose file it is

    def check(self) -> None:
        """Raise StoreNotFoundError unless there is such a store."""
        if self.experiment_id not in {None, *self.list_experiments()}:
            raise StoreNotFoundError(
                f"there is no experiment {self.experiment_id!r} in {self._config.path}"
            )

    def scoped(self, experiment_id: str) -> SqliteStore:
        """Return one experiment's store of this collection."""
        config = self._config.scoped(experiment_id)
        return self if config == self._config else SqliteStore(config)

    def list_experiments(self) -> list[str]:
        """List the experiments kept here, sorted."""
        return [experiment for (experiment,) in self._database.rows(_EXPERIMENTS)]

    def writer(
        self, launch: str, task: str = "0", *, executor: str = "", owner: str = ""
    ) -> SqliteWriter:
        """Return a new writer for one worker of a launch."""
        database = self._another_database()
        return SqliteWriter(database, self._experiment, launch, task, (executor, owner))

    def claims(self, plan: str, runs: int, units: int = UNITS) -> SqliteClaims:
        """Return the claims on the units of a plan."""
        return SqliteClaims(self._database, self._experiment, plan, runs, units)

    def ending(self, writer: str) -> Ending | None:
        """Return how a writer ended, or None if it may still be at work."""
        return ending_of(self._database, writer, self._inquiry)

    def secure(self, writer: str) -> None:
        """Make durable what a writer of this machine had put when its process died."""
        with self._database.writing(self._experiment, durable=True) as connection:
            sync(connection, writer)

    def read(self, since: RunLog | None = None) -> SqliteRunLog:
        """Return what is stored now; what ``since`` knows is not read again."""
        log = since if isinstance(since, SqliteRunLog) else self._log
        experiment = self._experiment
        if log is None or log.database is not self._database or log.experiment != experiment:
            log = SqliteRunLog(self._database, experiment)
        self._log = read_on(log)
        return self._log

    def put_manifest(self, manifest: Mapping[str, Any]) -> str:
        """Keep an experiment manifest, once for equal content, and return its name."""
        canonical = documents.encoded(manifest, "the manifest", sort_keys=True)
        name = sha256(canonical).hexdigest()[:16]
        self._keep("manifest", name, documents.encoded(manifest, "the manifest"))
        return name

    def manifests(self) -> dict[str, dict[str, Any]]:
        """Return every manifest by name, oldest first."""
        return documents.all_of(self._database, self._experiment, "manifest")

    def put_launch(self, launch: str, document: Mapping[str, Any]) -> None:
        """Keep what one call of ``metalab.run`` was asked to do; once a launch."""
        content = documents.encoded(document, "the launch")
        self._keep("launch", launch, content)
        if self._kept("launch", launch) != content:
            raise StoreError(f"{self.locator} describes another launch named {launch!r}")

    def launches(self) -> dict[str, dict[str, Any]]:
        """Return what ``put_launch`` kept, by launch, oldest first."""
        return documents.all_of(self._database, self._experiment, "launch")

    def put_patch(self, data: bytes) -> str:
        """Keep what was changed in a checkout; returns its sha256 in hex."""
        name = sha256(data).hexdigest()
        self._keep("patch", name, data)
        return name

    def get_patch(self, name: str) -> bytes | None:
        """Return what ``put_patch`` kept; raises StoreError if it is damaged."""
        data = self._kept("patch", name)
        if data is not None and sha256(data).hexdigest() != name:
            raise StoreError(f"the patch {name} is damaged in {self._config.path}")
        return data

    def put_payload(self, data: bytes) -> str:
        """Keep what other processes of this user are to execute; returns its sha256 in hex."""
        self._database.check_trusted()
        name = sha256(data).hexdigest()
        self._keep("payload", name, data)
        return name

    def open_payload(self, name: str) -> BinaryIO:
        """Open a payload; raises StoreError if it is gone, or may be another user's."""
        self._database.check_trusted()
        data = self._kept("payload", name)
        if data is None:
            raise StoreError(f"the payload {name} is gone from {self._config.path}")
        return io.BytesIO(data)

    def checkpoints(self, run_id: str, epoch: int, attempt: int) -> SqliteCheckpoints:
        """Return the checkpoints of a run, for an attempt at it."""
        return SqliteCheckpoints(self._database, self._experiment, run_id, epoch, attempt)

    def has_checkpoint(self, run_id: str, epoch: int, attempt: int) -> bool:
        """Tell whether an attempt has kept a checkpoint that the next one may go on from."""
        return has_checkpoint(self._database, self._experiment, run_id, (epoch, attempt))

    def open_artifact(self, artifact: ArtifactDescriptor | str) -> BinaryIO:
        """Open an artifact's bytes, by descriptor or uri."""
        return open_uri(self._database, self._experiment, artifact)

    def artifact_file(self, artifact: ArtifactDescriptor) -> ArtifactFile:
        """Tell the extension of an artifact; no file holds its bytes alone."""
        return ArtifactFile(extension_of(artifact.uri))

    def get_log(self, run_id: str, name: str = "run") -> str | None:
        """Return a log of the run's current attempt, or None if it has none of that name."""
        return logs_of_run(self.read(), run_id).get(file_name(name))

    def list_logs(self, run_id: str) -> list[str]:
        """List the names of the logs of the run's current attempt, sorted."""
        return sorted(map(unquote, logs_of_run(self.read(), run_id)))

    def logs(self) -> dict[str, LogLines]:
        """Return all that was logged, of every attempt, by writer, in the order written."""
        return logs_by_writer(self._database, self._experiment)

    def inspect(self, *, remove_strays: bool = False) -> Inspection:
        """Check all that is kept; there are no strays to remove, for there are no files."""
        del remove_strays
        return inspection.inspect(self._database, self._experiment)

    def close(self) -> None:
        """Close the file and forget what was read; the store may be used again."""
        self._log = None
        self._database.close()

    @property
    def _experiment(self) -> str:
        if self.experiment_id is None:
            raise ValueError(
                f"{self._config.path} is a collection of experiments; choose one with "
                "scoped(experiment_id)"
            )
        return self.experiment_id

    def _another_database(self) -> Database:
        config = self._config
        is_durable = config.durability == "disk"
        return Database(config.path, timeout=config.busy_timeout, is_durable=is_durable)

    def _keep(self, kind: str, name: str, body: bytes) -> None:
        with self._database.writing(self._experiment, durable=True) as connection:
            documents.keep(connection, self._experiment, kind, name, body)

    def _kept(self, kind: str, name: str) -> bytes | None:
        return documents.find(self._database, self._experiment, kind, name)
