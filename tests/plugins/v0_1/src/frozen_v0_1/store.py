"""A store that keeps in a folder, through metalab's own store of files, what it is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, ClassVar

import attrs

from metalab import hookimpl
from metalab.records import ArtifactDescriptor
from metalab.store import FileStoreConfig, LocatorInfo, Store, StoreConfig
from metalab.store.base import LogLine, RunLog, StoreWriter

__all__ = ["FrozenStore", "FrozenStoreConfig"]


@attrs.frozen
class FrozenStoreConfig(StoreConfig):
    """Names the folder."""

    scheme: ClassVar[str] = "frozen"
    folder: str = attrs.field(kw_only=True)

    @property
    def locator(self) -> str:
        return f"frozen://{self.folder}"

    @property
    def files(self) -> FileStoreConfig:
        """The configuration of the store that does the work."""
        return FileStoreConfig(self.folder, self.experiment_id)

    def connect(self) -> Store:
        return FrozenStore(self, self.files.connect())

    def open(self) -> Store:
        return FrozenStore(self, self.files.open())

    def list_experiments(self) -> list[str]:
        return self.files.list_experiments()


class FrozenStore(Store):
    """Implements what a store has to, and inherits the rest."""

    def __init__(self, config: FrozenStoreConfig, files: Store) -> None:
        self._config, self._files = config, files

    @property
    def config(self) -> FrozenStoreConfig:
        return self._config

    def scoped(self, experiment_id: str) -> Store:
        if self._config.experiment_id == experiment_id:
            return self
        return FrozenStore(self._config.scoped(experiment_id), self._files.scoped(experiment_id))

    def list_experiments(self) -> list[str]:
        return self._files.list_experiments()

    def writer(
        self, launch: str, task: str = "0", *, executor: str = "", owner: str = ""
    ) -> StoreWriter:
        return self._files.writer(launch, task, executor=executor, owner=owner)

    def read(self, since: RunLog | None = None) -> RunLog:
        return self._files.read(since)

    def put_manifest(self, manifest: Mapping[str, Any]) -> str:
        return self._files.put_manifest(manifest)

    def manifests(self) -> dict[str, dict[str, Any]]:
        return self._files.manifests()

    def put_launch(self, launch: str, document: Mapping[str, Any]) -> None:
        self._files.put_launch(launch, document)

    def launches(self) -> dict[str, dict[str, Any]]:
        return self._files.launches()

    def open_artifact(self, artifact: ArtifactDescriptor | str) -> BinaryIO:
        return self._files.open_artifact(artifact)

    def get_log(self, run_id: str, name: str = "run") -> str | None:
        return self._files.get_log(run_id, name)

    def list_logs(self, run_id: str) -> list[str]:
        return self._files.list_logs(run_id)

    def logs(self) -> Mapping[str, Iterable[LogLine]]:
        return self._files.logs()

    def close(self) -> None:
        self._files.close()


def _config(folder: str, **fields: Any) -> FrozenStoreConfig:
    if unknown := sorted(fields.keys() - {"experiment_id"}):
        raise ValueError(f"frozen:// takes no {', '.join(unknown)}")
    return FrozenStoreConfig(folder=folder, **fields)


@hookimpl
def metalab_store_config(locator: LocatorInfo, fields: Mapping[str, Any]) -> StoreConfig:
    return _config(locator.path, **locator.params, **fields)


@hookimpl
def metalab_store_config_from_dict(document: Mapping[str, Any]) -> StoreConfig:
    return _config(**{name: value for name, value in document.items() if name != "_type"})
