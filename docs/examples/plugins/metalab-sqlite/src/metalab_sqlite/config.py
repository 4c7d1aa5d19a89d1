"""The configuration of a SQLite store: a frozen value that workers open the store from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import attrs

from metalab.errors import StoreNotFoundError
from metalab.store.config import StoreConfig
from metalab.store.names import experiment_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.store.locator import LocatorInfo
    from metalab_sqlite.store import SqliteStore

__all__ = ["SqliteStoreConfig", "config_of", "config_of_document"]


def _absolute(path: Any) -> str:
    return str(Path(path).expanduser().absolute())


def _experiment(_: object, __: object, value: str | None) -> None:
    if value is not None:
        experiment_folder(value)  # refuses what is no id


def _seconds(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not (isinstance(value, int | float) and value >= 0):
        raise ValueError(f"{attribute.name}={value!r}: give seconds, 0 or more")


@attrs.frozen
class SqliteStoreConfig(StoreConfig):
    """A SQLite file that keeps experiments, or one experiment of it.

    ``path`` becomes absolute. ``busy_timeout`` is for how many seconds a writer waits for
    the others. ``durability="os"`` leaves it to the operating system when what was put reaches
    the disk.
    """

    scheme: ClassVar[str] = "sqlite"

    path: str = attrs.field(converter=_absolute)
    experiment_id: str | None = attrs.field(default=None, validator=_experiment)
    busy_timeout: float = attrs.field(default=60.0, validator=_seconds, kw_only=True)
    durability: str = attrs.field(
        default="disk", validator=attrs.validators.in_(("disk", "os")), kw_only=True
    )

    @property
    def locator(self) -> str:
        """The path as a URL."""
        return f"sqlite://{quote(self.path)}"

    def connect(self) -> SqliteStore:
        """Open the store, making its file where there is none yet; raises StoreError."""
        from metalab_sqlite.store import SqliteStore  # noqa: PLC0415  the store holds its config

        store = SqliteStore(self)
        store.make()
        return store

    def open(self) -> SqliteStore:
        """Open a store that exists, writing nothing; raises StoreNotFoundError."""
        from metalab_sqlite.store import SqliteStore  # noqa: PLC0415  the store holds its config

        store = SqliteStore(self)
        store.check()
        return store

    def list_experiments(self) -> list[str]:
        """List the ids of the experiments kept there, sorted; empty where there is no store."""
        from metalab_sqlite.store import SqliteStore  # noqa: PLC0415  the store holds its config

        with SqliteStore(self) as store:
            try:
                return store.list_experiments()
            except StoreNotFoundError:
                return []


_FIELDS = {"path": str, "experiment_id": str, "busy_timeout": float, "durability": str}


def config_of(locator: LocatorInfo, fields: Mapping[str, Any]) -> SqliteStoreConfig:
    """Return the configuration that a locator and further fields give; fields win.

    Raises ValueError for a locator that names a host, no file, or an option there is not.
    """
    if locator.host is not None or not locator.path.strip("/"):
        raise ValueError(
            f"{locator.raw!r} names no file; write sqlite:///path/to/results.db, with three "
            "slashes and the path from the root on"
        )
    _refuse_unknown(locator.params | dict(fields))
    given = {name: _FIELDS[name](text) for name, text in locator.params.items()}
    return SqliteStoreConfig(**{"path": locator.path, **given, **fields})


def config_of_document(document: Mapping[str, Any]) -> SqliteStoreConfig:
    """Return the configuration that ``to_dict`` described."""
    fields = {name: value for name, value in document.items() if name != "_type"}
    _refuse_unknown(fields)
    return SqliteStoreConfig(**fields)


def _refuse_unknown(fields: Mapping[str, Any]) -> None:
    if unknown := sorted(fields.keys() - _FIELDS.keys()):
        raise ValueError(
            f"a SQLite store has no option {', '.join(unknown)}; it has {', '.join(_FIELDS)}"
        )
