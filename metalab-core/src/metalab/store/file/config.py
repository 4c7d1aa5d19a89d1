"""The configuration of a file store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

from metalab.store.config import StoreConfig
from metalab.store.file import layout
from metalab.store.file.options import Options
from metalab.store.locator import LocatorInfo, parse_locator
from metalab.store.names import experiment_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.store.file.store import FileStore

__all__ = ["FileStoreConfig", "config_of", "config_of_document"]


def _absolute(root: Any) -> str:
    info = parse_locator(root)
    if info.scheme != "file":
        raise ValueError(f"{root!r} is no folder; a file store is a path or file://")
    return info.path


def _number(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not (isinstance(value, int | float) and value >= 0):
        raise ValueError(f"{attribute.name}={value!r}: give seconds, 0 or more")


def _experiment(_: object, __: object, value: str | None) -> None:
    if value is not None:
        experiment_folder(value)  # refuses what is no id


@attrs.frozen
class FileStoreConfig(StoreConfig):
    """A folder that keeps experiments, or one experiment of it.

    ``root`` becomes an absolute path; it may also be an experiment's own folder.
    ``commit_interval`` is the seconds between commits (0: each run is committed at once),
    ``durability="os"`` leaves syncing to the operating system, ``store_timeout`` is for how
    many seconds a failing disk is borne.
    """

    scheme: ClassVar[str] = "file"

    root: str = attrs.field(converter=_absolute)
    experiment_id: str | None = attrs.field(default=None, validator=_experiment)
    commit_interval: float = attrs.field(default=0.2, validator=_number, kw_only=True)
    durability: str = attrs.field(
        default="disk", validator=attrs.validators.in_(("disk", "os")), kw_only=True
    )
    store_timeout: float = attrs.field(default=600.0, validator=_number, kw_only=True)

    @property
    def locator(self) -> str:
        """The absolute path of the root."""
        return self.root

    def connect(self) -> FileStore:
        """Open the store, making its folder and marker where there is none yet.

        Raises StoreError, in words, where nothing can be written or a newer metalab did.
        """
        from metalab.store.file.store import FileStore  # noqa: PLC0415  the store holds its config

        store = FileStore(self)
        store.make()
        return store

    def open(self) -> FileStore:
        """Open a store that exists, writing nothing; raises StoreNotFoundError."""
        from metalab.store.file.store import FileStore  # noqa: PLC0415  the store holds its config

        store = FileStore(self)
        store.check()
        return store

    def list_experiments(self) -> list[str]:
        """List the ids of the experiments kept there, sorted; empty where there is no store."""
        return layout.Collection(Path(self.root)).experiments()

    def located(self) -> Self:
        """Return the same place as a collection's root and an id, if an experiment's folder."""
        root, experiment_id = layout.locate(self.root, self.experiment_id)
        return attrs.evolve(self, root=root, experiment_id=experiment_id)

    def holds(self, other: StoreConfig) -> bool:
        """Tell whether the other is this store, or lies in its folder, under whatever name."""
        return isinstance(other, FileStoreConfig) and other.folder().is_relative_to(self.folder())

    def folder(self) -> Path:
        """Return the collection's folder, or the experiment's, with links resolved."""
        config = self.located()
        root = Path(config.root)
        if config.experiment_id is None:
            return root.resolve()
        return layout.Folder.of(root, config.experiment_id).path.resolve()

    @property
    def options(self) -> Options:
        """How the store's writers commit."""
        return Options(self.commit_interval, self.durability == "disk", self.store_timeout)


_FIELDS = {
    "root": str,
    "experiment_id": str,
    "commit_interval": float,
    "durability": str,
    "store_timeout": float,
}


def config_of(locator: LocatorInfo, fields: Mapping[str, Any]) -> FileStoreConfig:
    """Return the configuration that a locator and further fields give; fields win."""
    _refuse_unknown(locator.params | dict(fields))
    given = {name: _FIELDS[name](text) for name, text in locator.params.items()}
    return FileStoreConfig(**{"root": locator.path, **given, **fields})


def config_of_document(document: Mapping[str, Any]) -> FileStoreConfig:
    """Return the configuration that ``to_dict`` described."""
    fields = {name: value for name, value in document.items() if name != "_type"}
    _refuse_unknown(fields)
    return FileStoreConfig(**fields)


def _refuse_unknown(fields: Mapping[str, Any]) -> None:
    if unknown := sorted(fields.keys() - _FIELDS.keys()):
        raise ValueError(
            f"a file store has no option {', '.join(unknown)}; it has {', '.join(_FIELDS)}"
        )
