"""What writes runs into a store."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from metalab.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from metalab.records import AttemptKey, RunRecord
    from metalab.store.reading import LogLine, Loss

__all__ = ["Acknowledge", "RunWriter", "StoreWriter"]

Acknowledge = Callable[[], None]


class RunWriter(abc.ABC):
    """Writes the runs of one worker. Methods may be called from several threads.

    What is put is readable by other processes at once and survives a kill of this one;
    ``acknowledged`` is called, on any thread, the caller's included, once it would survive the
    machine too.
    """

    name: str

    @abc.abstractmethod
    def start(self, run_id: str, record: Callable[[], RunRecord], *, careful: bool = False) -> None:
        """Note that a run has begun; its record is asked for, and written, only if it lasts.

        ``careful``, it is durable when this returns.
        """

    @abc.abstractmethod
    def put(self, record: RunRecord, acknowledged: Acknowledge | None = None) -> None:
        """Write the record of a run that has ended."""

    @abc.abstractmethod
    def put_series(
        self,
        run: AttemptKey,
        name: str,
        points: Sequence[tuple[int | float, Any]],
    ) -> None:
        """Write further points (step, value) of a run's metric series."""

    @abc.abstractmethod
    def put_artifact(
        self,
        run: AttemptKey,
        name: str,
        source: bytes | Path,
        *,
        extension: str,
    ) -> tuple[str, str, int]:
        """Keep the bytes (or the file) of an artifact: its uri in the store, sha256, size."""

    def dump_artifact(
        self,
        run: AttemptKey,
        name: str,
        dump: Callable[[BinaryIO], None],
        *,
        extension: str,
    ) -> tuple[str, str, int]:
        """Keep what ``dump`` writes to a file as an artifact, and return what put_artifact does.

        The file can be read and sought, too. What ``dump`` raises is raised, and nothing kept.
        The default collects the bytes first; a store that can take them where they will lie
        overrides it.
        """
        with Spool() as spool:
            dump(spool)  # type: ignore[arg-type]  # typeshed: no BufferedIOBase is a BinaryIO
            return self.put_artifact(run, name, spool.content, extension=extension)

    @abc.abstractmethod
    def append_log(self, run: AttemptKey, text: str, name: str = "run") -> None:
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

    @abc.abstractmethod
    def copy(self, line: bytes) -> bytes:
        """Write a line about a run as another writer wrote it: it keeps its place in the order.

        Artifacts that it names must be in this store, and durable. Returns the line as it was
        written: a disk that failed may have changed their uris.
        """

    @abc.abstractmethod
    def copy_log(self, writer: str, lines: Iterable[LogLine]) -> None:
        """Add lines to what this store keeps of another writer's logs, after those it has."""

    # A store that has no claims, and cannot tell how a writer ended, needs none of these.

    def attend(self) -> None:
        """Be ready to write, and show that this lives, until it is closed.

        Called before its worker begins: what threads it needs must be started by then, since
        none can be while the interpreter shuts down, and a launch may go on then.
        """

    def join(self, plan: str) -> None:
        """Write that this works on a plan, durably: claims may name this writer from now on."""

    def release(self, plan: str, units: Sequence[int]) -> None:
        """Write that this gives up its claims on units of a plan."""

    def put_loss(self, run_id: str, loss: Loss) -> None:
        """Write that an attempt at a run has no end."""
