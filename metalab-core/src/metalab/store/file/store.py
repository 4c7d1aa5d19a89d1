"""The file store: a folder, complete without a server."""

from __future__ import annotations

import json
import logging
import os
import weakref
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from metalab.errors import StoreError
from metalab.store.base import ArtifactFile, RunLog, Store, StoreWriter
from metalab.store.claiming import UNITS
from metalab.store.file import disk, layout, patches, payloads
from metalab.store.file.artifacts import file_of, open_uri
from metalab.store.file.beside import is_closed, root_beside
from metalab.store.file.claims import FileClaims
from metalab.store.file.config import FileStoreConfig
from metalab.store.file.inquiry import Inquiry
from metalab.store.file.liveness import Liveness
from metalab.store.file.logs import LogLines, log_files, read_logs
from metalab.store.file.mapping import map_uri
from metalab.store.file.reader import read_runs
from metalab.store.file.runlog import FileRunLog
from metalab.store.file.writer import FileWriter
from metalab.store.lines import parse_line
from metalab.store.names import file_name, split_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from metalab.records import ArtifactDescriptor
    from metalab.store.claiming import Ending
    from metalab.store.file.checkpoints import FileCheckpoints
    from metalab.store.maintenance import Compaction, Inspection

__all__ = ["FileStore"]

_log = logging.getLogger(__name__)


class FileStore(Store):
    """Keeps experiments below a folder; takes its path or a configuration.

    Nothing is made on disk before something is written.
    """

    def __init__(self, root: str | os.PathLike[str] | FileStoreConfig) -> None:
        config = root if isinstance(root, FileStoreConfig) else FileStoreConfig(os.fspath(root))
        self._config = config.located()
        self._collection = layout.Collection(self.root)
        self._log: FileRunLog | None = None
        self._own: FileWriter | None = None
        self._beside: FileStore | None = None
        self._liveness: Liveness | None = None

    def __repr__(self) -> str:
        scope = f", experiment_id={self.experiment_id!r}" if self.is_scoped else ""
        return f"FileStore({self._config.root!r}{scope})"

    @property
    def config(self) -> FileStoreConfig:
        """From what this store can be opened again."""
        return self._config

    @property
    def root(self) -> Path:
        """The folder of the collection, absolute."""
        return Path(self._config.root)

    def get_working_directory(self) -> Path:
        """Return the experiment's folder, or the root of a collection; it need not exist."""
        return self._folder.path if self.is_scoped else self.root

    def make(self) -> None:
        """Make the root and its marker; raises StoreError where nothing can be written."""
        self._collection.check_writable()
        if self.is_scoped:
            self._folder.check_writable()
        with disk.explained(f"no store can be made at {self.root}"):
            self._collection.make()

    def check(self) -> None:
        """Raise StoreNotFoundError unless there is such a store; writes nothing."""
        self._collection.check()
        if not self._collection.is_store():
            raise layout.missing(self.root)
        if self.is_scoped:
            self._folder.check()
            if not (self._folder.path / layout.EXPERIMENT).exists():
                raise layout.missing(self.root, self.experiment_id)

    def scoped(self, experiment_id: str) -> FileStore:
        """Return one experiment's store of this collection; see Store.scoped."""
        config = self._config.scoped(experiment_id)
        return self if config == self._config else FileStore(config)

    def list_experiments(self) -> list[str]:
        """List the experiments kept here, sorted."""
        return self._config.list_experiments()

    def writer(
        self, launch: str, task: str = "0", *, executor: str = "", owner: str = ""
    ) -> FileWriter:
        """Return a new writer for one worker of a launch; see Store.writer."""
        self._folder.check()
        return FileWriter(self._folder, launch, task, self._config.options, executor, owner)

    def is_closed(self) -> bool:
        """Tell whether nothing can be written to the experiment's folder."""
        return is_closed(self._folder)

    def beside(self) -> FileStore | None:
        """Return the store in this user's data folder; see Store.beside."""
        if self._beside is None:
            root = root_beside(self._folder)
            if not (self.is_closed() or root.exists()):
                return None
            self._beside = FileStore(root).scoped(self._folder.experiment_id)
        return self._beside

    @contextmanager
    def own_writer(self) -> Iterator[StoreWriter]:
        """Lend a writer that the store keeps until it is closed; see Store.own_writer."""
        if self._own is None:
            self._own = self.writer("manual")
            # Whoever forgets to close the store still leaves a segment that says it is over.
            weakref.finalize(self, _end, self._own)
        try:
            yield self._own
            self._own.flush()
        except StoreError:
            own, self._own = self._own, None
            _end(own)  # its caller is told that nothing was kept, so nothing shall be tried again
            raise

    def claims(self, plan: str, runs: int, units: int = UNITS) -> FileClaims:
        """Return the claims on the units of a plan; see Store.claims."""
        self._folder.check()
        make = partial(self._folder.make, "claims", file_name(plan))
        with disk.explained("no claims can be made"):
            return FileClaims(make, runs, self._config.options.timeout, units)

    def ending(self, writer: str) -> Ending | None:
        """Return how a writer ended, or None if it may still be at work; see Store.ending."""
        if self._liveness is None:
            folder = self._folder.path / "runs"
            self._liveness = Liveness(folder, self._config.options.heartbeat, Inquiry())
        with disk.explained(f"the segments of {writer} cannot be read"):
            return self._liveness.ending(writer)

    def secure(self, writer: str) -> None:
        """Make durable what a writer of this machine had put; see Store.secure."""
        folder = self._folder.path / "runs"
        with disk.explained(f"what {writer} wrote cannot be made durable"):
            parts = [name for name in disk.names(folder) if split_part(name)[0] == writer]
            for name in parts:
                disk.sync_file(folder / name)

    def read(self, since: RunLog | None = None) -> FileRunLog:
        """Return what is stored now; see Store.read."""
        known = since if isinstance(since, FileRunLog) else self._log
        folder = self._folder.path / "runs"
        with disk.explained(f"{folder} cannot be read"):
            self._log = read_runs(folder, known, final=since is None)
        return self._log

    def put_manifest(self, manifest: Mapping[str, Any]) -> str:
        """Keep an experiment manifest, once for equal content, and return its name."""
        name = sha256(_json(manifest, "the manifest", sort_keys=True)).hexdigest()[:16]
        self._publish(("manifests",), f"{name}.json", _json(manifest, "the manifest", indent=2))
        return name

    def manifests(self) -> dict[str, dict[str, Any]]:
        """Return every manifest by name, oldest first."""
        folder = self._folder.path / "manifests"
        with disk.explained(f"{folder} cannot be read"):
            paths = [folder / name for name in disk.names(folder) if name.endswith(".json")]
            paths = [path for path in paths if not path.name.startswith(".")]
            paths.sort(key=lambda path: path.stat().st_mtime_ns)
            return {path.stem: layout.read_json(path) for path in paths}

    def put_launch(self, launch: str, document: Mapping[str, Any]) -> None:
        """Keep what one call of ``metalab.run`` was asked to do; once a launch."""
        content = _json(document, "the launch", indent=2)
        folder = ("launches", file_name(launch))
        if layout.is_cut(folder[-1]):  # first: whoever finds the launch finds its name
            name = _json({"launch": launch}, "the launch's name")
            self._publish(folder, layout.WHOLE_NAME, name)
        path = self._publish(folder, "launch.json", content)
        if disk.read_all(path) != content:
            raise StoreError(f"{path} describes another launch of the same name")

    def launches(self) -> dict[str, dict[str, Any]]:
        """Return what ``put_launch`` kept, by launch, oldest first."""
        folder = self._folder.path / "launches"
        with disk.explained(f"{folder} cannot be read"):
            paths = [folder / name / "launch.json" for name in disk.names(folder)]
            kept = {path: layout.read_json(path) for path in paths if path.is_file()}
            # Times of files have coarse steps, on some file systems of a second.
            paths = sorted(
                kept, key=lambda path: (path.stat().st_mtime_ns, str(kept[path].get("started")))
            )
            return {layout.launch_in(path.parent): kept[path] for path in paths}

    def launch_folder(self, launch: str) -> Path:
        """Return a launch's folder; see Store.launch_folder."""
        return self._folder.path / "launches" / file_name(launch)

    def put_launch_file(self, launch: str, name: str, data: bytes) -> None:
        """Keep a file in a launch's folder; see Store.put_launch_file."""
        self._publish(("launches", file_name(launch)), name, data)

    def put_patch(self, data: bytes) -> str:
        """Keep what was changed in a checkout; see Store.put_patch."""
        name = sha256(data).hexdigest()
        self._publish((patches.FOLDER,), patches.file_of(name), data)
        return name

    def get_patch(self, name: str) -> bytes | None:
        """Return what was changed in a checkout; see Store.get_patch."""
        return patches.read(self._folder.path, name)

    def put_payload(self, data: bytes) -> str:
        """Keep what others of this user's processes are to execute; see Store.put_payload."""
        name = sha256(data).hexdigest()
        self._publish(("payload",), f"{name}.pkl", data, mode=0o600)
        return name

    def open_payload(self, name: str) -> BinaryIO:
        """Open a payload of this user's; see Store.open_payload."""
        path = self._folder.path / "payload" / f"{file_name(name)}.pkl"
        with disk.explained("a payload cannot be read"):
            return payloads.open_own(path)

    def checkpoints(self, run_id: str, epoch: int, attempt: int) -> FileCheckpoints:
        """Return the checkpoints of a run, for an attempt at it; see Store.checkpoints."""
        # Here and below: what is rarely used is a quarter of what a store would import.
        from metalab.store.file.checkpoints import FileCheckpoints  # noqa: PLC0415

        return FileCheckpoints(self._folder, run_id, epoch, attempt)

    def has_checkpoint(self, run_id: str, epoch: int, attempt: int) -> bool:
        """Tell whether an attempt has kept a checkpoint; see Store.has_checkpoint."""
        from metalab.store.file.checkpoints import has_checkpoint  # noqa: PLC0415

        with disk.explained(f"the checkpoints of {run_id} cannot be read"):
            return has_checkpoint(self._folder.path, run_id, (epoch, attempt))

    def open_artifact(self, artifact: ArtifactDescriptor | str) -> BinaryIO:
        """Open an artifact's bytes; see Store.open_artifact."""
        with disk.explained("an artifact cannot be read"):
            return open_uri(self._folder.path, artifact)

    def map_artifact(self, artifact: ArtifactDescriptor) -> memoryview | None:
        """Map an artifact's bytes into memory; see Store.map_artifact."""
        with disk.explained("an artifact cannot be read"):
            return map_uri(self._folder.path, artifact)

    def get_log(self, run_id: str, name: str = "run") -> str | None:
        """Return a log of the run's current attempt, or None if it has none of that name."""
        return self._logs(run_id).get(file_name(name))

    def list_logs(self, run_id: str) -> list[str]:
        """List the names of the logs of the run's current attempt, sorted."""
        return sorted(map(layout.unquoted, self._logs(run_id)))

    def compact(
        self,
        *,
        gzip: bool = False,
        drop_attempts: bool = False,
        dry_run: bool = False,
    ) -> Compaction:
        """Merge the segments of writers that have ended; see Store.compact."""
        from metalab.store.file.compaction import Compactor  # noqa: PLC0415

        compactor = Compactor(self._folder, gzip, drop_attempts, self._has_died)
        return compactor.plan() if dry_run else compactor.run()

    def inspect(self, *, remove_strays: bool = False) -> Inspection:
        """Check every line and every artifact; see Store.inspect."""
        from metalab.store.file.inspection import inspect_folder  # noqa: PLC0415

        with disk.explained(f"{self._folder.path} cannot be inspected"):
            return inspect_folder(self._folder, remove_strays=remove_strays)

    def logs(self) -> dict[str, LogLines]:
        """Return all that was logged by writer; see Store.logs."""
        written = log_files(self._folder.path / "logs")
        return {writer: LogLines(paths) for writer, paths in written.items()}

    def place_of_log(self, writer: str) -> str:
        """Name the last file of a writer's logs; see Store.place_of_log."""
        paths = log_files(self._folder.path / "logs").get(writer)
        return str(paths[-1]) if paths else ""

    def artifact_file(self, artifact: ArtifactDescriptor) -> ArtifactFile:
        """Tell what is known of an artifact's bytes; see Store.artifact_file."""
        return file_of(self._folder.path, artifact)

    def _has_died(self, opening: Mapping[str, Any]) -> bool:
        ending = self.ending(str(opening.get("writer", "")))
        return ending is not None and ending.is_proved

    def close(self) -> None:
        """End the store's own writer and forget what was read; it may be used again."""
        own, self._own, self._log = self._own, None, None
        if own is not None:
            own.close()

    @property
    def _folder(self) -> layout.Folder:
        if self.experiment_id is None:
            raise ValueError(
                f"{self.root} is a collection of experiments; choose one with scoped(experiment_id)"
            )
        return layout.Folder.of(self.root, self.experiment_id)

    def _publish(
        self, folder: tuple[str, ...], name: str, content: bytes, *, mode: int = 0o666
    ) -> Path:
        self._folder.check()
        with disk.explained(f"{name} cannot be written"):
            path = self._folder.make(*folder) / name
            if not path.exists():
                disk.publish(path, content, mode)
        return path

    def _logs(self, run_id: str) -> dict[str, str]:
        log = self.read()
        state = log.state(run_id)
        with disk.explained(f"the logs of {run_id} cannot be read"):
            written = log_files(self._folder.path / "logs")
            files = [path for paths in written.values() for path in paths]
            if state is None:
                return read_logs(files, run_id, None)
            attempt = (state.epoch, state.attempt)
            document = parse_line(next(log.lines([run_id]))) or {}
            own = written.get(document.get("writer", ""), [])
            # A worker that died has its end written by another.
            return read_logs(own, run_id, attempt) or read_logs(files, run_id, attempt)


def _end(writer: FileWriter) -> None:
    with suppress(StoreError):  # whoever put something was told so then
        writer.close()


def _json(document: Mapping[str, Any], what: str, **options: Any) -> bytes:
    try:
        text = json.dumps(document, allow_nan=False, ensure_ascii=False, **options)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} is not strict JSON: {error}") from error
    return text.encode() + b"\n"
