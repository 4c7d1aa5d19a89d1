"""What is read from a store: the folded lines of one experiment."""

from __future__ import annotations

import abc
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from metalab.store.pieces import Piece

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from metalab.records import Status

__all__ = ["BLOCK_LINES", "ArtifactFile", "Damage", "LogLine", "Loss", "RunLog", "RunState"]

BLOCK_LINES = 256
"""How many lines a block has at most."""


@attrs.frozen
class RunState:
    """What resuming must know of a run: its current status, attempt and code fingerprint."""

    status: Status
    epoch: int
    attempt: int
    code: str


@attrs.frozen
class Damage:
    """A stored line that could not be read: where it is and what is wrong with it."""

    place: str
    reason: str


@attrs.frozen
class Loss:
    """An attempt at a run that has no end of its own, since its writer died or gave way.

    ``cause`` is a word of Cause, or one that a later version writes.
    """

    epoch: int
    attempt: int
    writer: str
    cause: str = attrs.field(converter=str)  # of a Cause the plain word


@attrs.frozen
class LogLine:
    """A line that a run logged, without its line feed.

    ``name`` is the log's, as ``metalab.store.names.file_name`` writes it.
    """

    run_id: str
    epoch: int
    attempt: int
    name: str
    text: str


@attrs.frozen
class ArtifactFile:
    """What is known of an artifact's bytes besides its descriptor.

    ``extension`` is the file name's ending without a dot, ``path`` the file that holds these
    bytes and no others, None where there is none.
    """

    extension: str = ""
    path: Path | None = None


class RunLog(abc.ABC):
    """The folded lines of one experiment at one moment; immutable."""

    damage: tuple[Damage, ...] = ()

    @abc.abstractmethod
    def __len__(self) -> int:
        """Count the runs that have a record, running ones included."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[str]:
        """Yield the ids of those runs, in no promised order."""

    def __contains__(self, run_id: object) -> bool:
        """Tell whether the run has a record."""
        return isinstance(run_id, str) and self.state(run_id) is not None

    @abc.abstractmethod
    def state(self, run_id: str) -> RunState | None:
        """Return what resuming must know of a run, or None."""

    def states(self, run_ids: Iterable[str]) -> Iterator[RunState | None]:
        """Yield the state of each of many runs."""
        return map(self.state, run_ids)

    def changed(self, since: RunLog) -> Iterator[str]:
        """Yield the runs whose state is not what an earlier log of the same store says."""
        then_and_now = zip(self, since.states(self), self.states(self), strict=True)
        return (run_id for run_id, before, now in then_and_now if before != now)

    @abc.abstractmethod
    def forgotten(self, run_id: str) -> int:
        """Return the epoch in which a forgotten run begins anew; 0 if it was never forgotten."""

    @abc.abstractmethod
    def lines(self, run_ids: Iterable[str] | None = None) -> Iterator[bytes]:
        """Yield the current line of each run: JSON as ``metalab.store.document`` says.

        With ``run_ids``, of those runs in that order; a run without a record is a KeyError.
        """

    def blocks(self, run_ids: Iterable[str] | None = None) -> Iterator[bytes]:
        """Yield what ``lines`` does, some lines at a time with line feeds between them."""
        lines = self.lines(run_ids)
        while block := b"\n".join(islice(lines, BLOCK_LINES)):
            yield block

    def pieces(self) -> Iterator[Piece]:
        """Yield the current lines of all runs in groups, in no promised order."""
        yield Piece(len(self), self.blocks)

    @abc.abstractmethod
    def attempts(self, run_id: str) -> list[bytes]:
        """Return every line kept of a run's attempts, oldest attempt first."""

    def losses(self, run_id: str) -> Sequence[Loss]:  # noqa: ARG002  for stores whose writers die
        """Return the attempts at a run that were lost, each once, in order."""
        return ()

    def released(self, plan: str) -> Mapping[int, Collection[str]]:  # noqa: ARG002  as above
        """Return, by unit of a plan, the writers that have given up their claim on it."""
        return {}

    @abc.abstractmethod
    def subjects(self) -> Iterator[str]:
        """Yield the id of every run that any line is about, forgotten ones included, once."""

    @abc.abstractmethod
    def history(self, run_ids: Iterable[str]) -> Iterator[list[bytes]]:
        """Yield for each run all lines about it, of every kind, in no promised order.

        They are as they were written, without line feeds; copies may occur.
        """

    @abc.abstractmethod
    def series(self, run_id: str) -> dict[str, list[tuple[int | float, Any]]]:
        """Return the metric series of a run's current attempt: name -> (step, value)s."""

    @abc.abstractmethod
    def derived(self, run_id: str) -> dict[str, Mapping[str, Any]]:
        """Return a run's derived values by the name of the function that made them.

        Each has ``values``, ``code`` (the function's fingerprint), ``of`` (the crc of the
        record's line they were computed from: stale where that is not the current one) and
        ``rev``.
        """
