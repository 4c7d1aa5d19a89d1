"""What an experiment is copied from: the part of a store, and of its log, that copying needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from metalab.records import ArtifactDescriptor
    from metalab.store.reading import ArtifactFile, Damage, LogLine, RunState

__all__ = ["Source", "SourceLog"]


class SourceLog(Protocol):
    """The part of a RunLog that is copied."""

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What could not be read."""
        ...

    def __contains__(self, run_id: object) -> bool: ...
    def state(self, run_id: str) -> RunState | None: ...
    def lines(self, run_ids: Iterable[str]) -> Iterator[bytes]: ...
    def subjects(self) -> Iterator[str]: ...
    def history(self, run_ids: Iterable[str]) -> Iterator[list[bytes]]: ...


class Source(Protocol):
    """The part of a Store that is copied, for one experiment; a Store is one."""

    @property
    def locator(self) -> str:
        """Where it is, for people."""
        ...

    def read(self) -> SourceLog: ...
    def manifests(self) -> dict[str, dict[str, Any]]: ...
    def launches(self) -> dict[str, dict[str, Any]]: ...
    def logs(self) -> Mapping[str, Iterable[LogLine]]: ...
    def artifact_file(self, artifact: ArtifactDescriptor) -> ArtifactFile: ...
    def open_artifact(self, artifact: ArtifactDescriptor) -> BinaryIO: ...
