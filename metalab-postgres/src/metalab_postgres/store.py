"""The store whose files are indexed in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from metalab.store.file.store import FileStore
from metalab.store.transfer import export_store
from metalab_postgres.config import PostgresStoreConfig
from metalab_postgres.following import Follower

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.store.file.config import FileStoreConfig
    from metalab.store.query.query import Query
    from metalab.store.query.table import Table
    from metalab.store.reading import RunLog
    from metalab_postgres.index import PostgresIndex

__all__ = ["PostgresStore"]


class PostgresStore(FileStore):
    """Keeps experiments in files, as FileStore does, and indexes them in PostgreSQL.

    Takes what PostgresStoreConfig does, or such a configuration. Runs are written to files
    alone; a process that launches runs indexes them as they come, and whoever queries indexes
    what is missing. A database in trouble costs one warning, never a result.
    """

    def __init__(
        self,
        connection_string: str | PostgresStoreConfig,
        file_root: Any = None,
        experiment_id: str | None = None,
        schema: str | None = None,
        **options: Any,
    ) -> None:
        given = connection_string
        if not isinstance(given, PostgresStoreConfig):
            given = PostgresStoreConfig(given, file_root, experiment_id, schema, **options)
        super().__init__(given.files)
        self._indexed = given
        self._index: PostgresIndex | None = None
        self._follower: Follower | None = None

    def __repr__(self) -> str:
        return f"PostgresStore({self._indexed.locator!r}, experiment_id={self.experiment_id!r})"

    @property
    def config(self) -> PostgresStoreConfig:  # type: ignore[override]
        """From what this store can be opened again."""
        return self._indexed

    @property
    def index(self) -> PostgresIndex:
        """The index of the whole store; nothing connects before it is used."""
        if self._index is None:
            # Workers write files, and start the sooner without a driver.
            from metalab_postgres.index import PostgresIndex  # noqa: PLC0415

            self._index = PostgresIndex(self._indexed)
        return self._index

    def scoped(self, experiment_id: str) -> PostgresStore:
        """Return one experiment's store of this collection; see Store.scoped."""
        config = self._indexed.scoped(experiment_id)
        return self if config is self._indexed else type(self)(config)

    def put_launch(self, launch: str, document: Mapping[str, Any]) -> None:
        """Keep what a launch was asked to do, and follow it; see Store.put_launch."""
        super().put_launch(launch, document)
        if self._follower is None or not self._follower.is_alive:
            self._follower = Follower(self._indexed)

    def query(self, query: Query, log: RunLog | None = None) -> Table:
        """Answer a query, from the index where that holds the same runs; see Store.query."""
        # Both for the reason above.
        from metalab.store.query.answer import answer  # noqa: PLC0415
        from metalab_postgres.trouble import IndexUnavailable, tell  # noqa: PLC0415

        try:
            found = self._answer(query, log)
        except IndexUnavailable as error:
            tell(error)
            found = None
        if found is not None:
            return found
        return answer(query, self.read() if log is None else log)

    def _answer(self, query: Query, log: RunLog | None) -> Table | None:
        """Answer from the index; None if it is behind, and may only be read, or beyond ``log``."""
        # Both as above.
        from metalab_postgres.answers import answer  # noqa: PLC0415
        from metalab_postgres.watermarks import holds  # noqa: PLC0415

        experiment_id = self._folder.experiment_id
        if self.index.freshen(experiment_id).lag_bytes:
            return None
        with self.index.reading() as cursor:
            if log is not None and not holds(cursor, experiment_id, log):
                return None
            return answer(cursor, experiment_id, query)

    def rebuild_index(self, *, processes: int = 3) -> int:
        """Make the index of all experiments anew; see PostgresIndex.rebuild."""
        return self.index.rebuild(processes=processes)

    def verify(self) -> list[str]:
        """Compare the index with the files, and name each difference; see PostgresIndex.verify."""
        return self.index.verify()

    @classmethod
    def from_filestore(
        cls, store: FileStore | FileStoreConfig | str, connection_string: str, **options: Any
    ) -> Self:
        """Index a file store where it lies, and return it so; ``options`` as for this class."""
        config = (
            FileStore(store).config if isinstance(store, str) else getattr(store, "config", store)
        )
        options.setdefault("experiment_id", config.experiment_id)
        found = cls(connection_string, config.root, **options)
        found.check()
        found.index.update()
        return found

    def to_filestore(self, destination: Any = None, **options: Any) -> FileStore:
        """Return the files as a file store; with a ``destination``, a copy of them there.

        ``options`` are those of ``export_store``.
        """
        if destination is None:
            return FileStore(self._indexed.files)
        export_store(self, destination, **options)
        return FileStore(destination)

    def close(self) -> None:
        """End following, with all indexed that was written, and release what is open."""
        super().close()
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.stop()
