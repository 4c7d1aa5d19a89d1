"""The configuration of a store whose files are indexed in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from metalab.store.config import StoreConfig
from metalab.store.file.config import FileStoreConfig
from metalab_postgres.dsn import Dsn, take_own

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metalab_postgres.store import PostgresStore

__all__ = ["PostgresStoreConfig", "config_of_document", "config_of_locator"]

_OWN = ("file_root", "schema", "experiment_id", "commit_interval", "durability", "store_timeout")
_NUMBERS = ("commit_interval", "store_timeout")
_LONGEST = 63  # beyond which PostgreSQL cuts names off, so that two may meet


def _dsn(given: str | Dsn) -> Dsn:
    return given if isinstance(given, Dsn) else Dsn.of(given)


def _files(given: Any) -> str:
    return FileStoreConfig(given).root


def _schema(_: object, __: object, name: str) -> None:
    if name == "public":
        raise ValueError(
            "schema='public' is shared with everything else in the database, and a store has its "
            "schema for itself: leave it out, or name another"
        )
    if not name or "\0" in name or name.startswith("pg_") or len(name.encode()) > _LONGEST - 16:
        raise ValueError(
            f"schema={name!r} cannot be used: a name has up to {_LONGEST - 16} bytes and does not "
            "begin with pg_"
        )


@attrs.frozen(init=False)
class PostgresStoreConfig(StoreConfig):
    """A folder that keeps experiments, and the database that indexes them.

    ``connection_string`` is libpq's, as a URL or in words; ``file_root`` and ``schema`` may
    stand in it as well. Files keep everything, so ``file_root`` is needed, and all machines
    must see it: ValueError without. ``schema`` is the store's own, default ``metalab``. The
    other options are those of FileStoreConfig. Passwords in the string are used by this process
    alone and are in no repr, locator, pickle or ``to_dict``: elsewhere libpq takes them from
    ``~/.pgpass``, ``PGPASSWORD`` or a service file.
    """

    scheme: ClassVar[str] = "postgresql"

    dsn: Dsn = attrs.field(converter=_dsn, alias="connection_string")
    file_root: str = attrs.field(converter=_files)
    schema: str = attrs.field(default="metalab", validator=_schema)
    commit_interval: float = attrs.field(default=0.2)
    durability: str = attrs.field(default="disk")
    store_timeout: float = attrs.field(default=600.0)

    def __init__(
        self,
        connection_string: str | Dsn,
        file_root: Any = None,
        experiment_id: str | None = None,
        schema: str | None = None,
        **options: Any,
    ) -> None:
        own: dict[str, Any] = {}
        if isinstance(connection_string, str):
            connection_string, own = take_own(connection_string, _OWN)
        given = {"file_root": file_root, "experiment_id": experiment_id, "schema": schema}
        own |= {name: value for name, value in given.items() if value is not None} | options
        if not own.get("file_root"):
            raise ValueError(
                "a PostgreSQL store keeps its files in a folder that all machines see: give "
                "file_root=, or ?file_root=/shared/experiments in the connection string"
            )
        own |= {name: float(own[name]) for name in _NUMBERS if name in own}
        own.setdefault("schema", "metalab")
        if unknown := sorted(own.keys() - set(_OWN)):
            raise ValueError(
                f"a PostgreSQL store has no option {', '.join(unknown)}; it has {', '.join(_OWN)}"
            )
        init: Callable[..., None] = self.__attrs_init__
        init(connection_string=connection_string, **own)
        located = self.files.located()  # which refuses what files cannot be kept with
        object.__setattr__(self, "file_root", located.root)
        object.__setattr__(self, "experiment_id", located.experiment_id)

    @property
    def connection_string(self) -> str:
        """The connection string as a URL, without passwords and without metalab's own options."""
        return str(self.dsn)

    @property
    def files(self) -> FileStoreConfig:
        """The configuration of the files alone."""
        return FileStoreConfig(
            self.file_root,
            self.experiment_id,
            commit_interval=self.commit_interval,
            durability=self.durability,
            store_timeout=self.store_timeout,
        )

    @property
    def locator(self) -> str:
        """The URL with ``file_root`` and what else is not as by default; without passwords."""
        own = {"file_root": self.file_root}
        if self.schema != "metalab":
            own["schema"] = self.schema
        return self.dsn.url(own)

    def connect(self) -> PostgresStore:
        """Open the store, making its folder where there is none; asks nothing of the database."""
        store = self._store()
        store.make()
        return store

    def open(self) -> PostgresStore:
        """Open a store that exists, writing nothing; raises StoreNotFoundError."""
        store = self._store()
        store.check()
        return store

    def _store(self) -> PostgresStore:
        from metalab_postgres.store import PostgresStore  # noqa: PLC0415  it holds its config

        return PostgresStore(self)

    def list_experiments(self) -> list[str]:
        """List the ids of the experiments kept there, sorted; empty where there is no store."""
        return self.files.list_experiments()

    def holds(self, other: StoreConfig) -> bool:
        """Tell whether the other is this store, or lies in its folder, under whatever name."""
        return self.files.holds(other.files if isinstance(other, PostgresStoreConfig) else other)

    def to_dict(self) -> dict[str, Any]:
        """Describe the configuration without secrets."""
        return {
            "_type": self.scheme,
            "connection_string": self.connection_string,
            "file_root": self.file_root,
            "experiment_id": self.experiment_id,
            "schema": self.schema,
            "commit_interval": self.commit_interval,
            "durability": self.durability,
            "store_timeout": self.store_timeout,
        }

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[dict[str, Any]]]:
        return config_of_document, (self.to_dict(),)  # which has no password


def config_of_locator(text: str, fields: Mapping[str, Any]) -> PostgresStoreConfig:
    """Return the configuration that a locator and further fields give; fields win."""
    return PostgresStoreConfig(text, **fields)


def config_of_document(document: Mapping[str, Any]) -> PostgresStoreConfig:
    """Return the configuration that ``to_dict`` described."""
    fields = {name: value for name, value in document.items() if name != "_type"}
    fields["connection_string"] = Dsn.written(fields.get("connection_string", ""))
    return PostgresStoreConfig(**fields)
