"""Rows: the runs of a Results in order, decoded from the store's lines when they are looked at."""

from __future__ import annotations

import abc
from datetime import UTC
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from metalab.results.columns import Columns
from metalab.results.decoding import (
    Fingerprints,
    FullRow,
    Row,
    Time,
    Values,
    decoded,
    decoded_by_shape,
)
from metalab.results.lookup import listed, missing
from metalab.results.order import PassingOrder, PlanOrder, recorded
from metalab.results.picked import Picked
from metalab.store.document import document_of, record_of
from metalab.store.query.answer import answer
from metalab.store.query.lines import ChosenLines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from metalab.records import RunRecord
    from metalab.results.cached.reading import CachedColumns
    from metalab.store.base import RunLog, Store
    from metalab.store.query.query import Query
    from metalab.store.query.table import Table

__all__ = ["HeldRows", "LoggedRows", "Rows"]

R = TypeVar("R", bound=Values)

_FEW = 4  # of so many runs one is chosen: its line is read rather than columns of all


class Rows(abc.ABC):
    """The runs of a Results, in order."""

    @property
    @abc.abstractmethod
    def ids(self) -> Sequence[str]:
        """The ids of the runs."""

    @abc.abstractmethod
    def chunks(self, kind: type[R]) -> Iterator[list[R]]:
        """Yield what tables show of the runs, some at a time."""

    @abc.abstractmethod
    def statuses(self) -> Iterator[str]:
        """Yield the status of each run."""

    @abc.abstractmethod
    def records(self, places: Iterable[int] | None = None) -> Iterator[RunRecord]:
        """Yield the records, all of them or those at certain places."""

    @abc.abstractmethod
    def select(self, places: Iterable[int]) -> Rows:
        """Return some of the rows."""

    @abc.abstractmethod
    def refreshed(self, log: RunLog) -> Rows:
        """Return the rows as they are in a later log of the same store."""

    @abc.abstractmethod
    def answer(self, query: Query, store: Store) -> Table:
        """Answer a query about these runs of a store; raises QueryError as Store.query does."""

    def names(self) -> tuple[list[str], list[str]]:
        """Return the names of the params and those of the metrics, in the order they are met."""
        params: dict[str, Any] = {}
        metrics: dict[str, Any] = {}
        for row in chain.from_iterable(self.chunks(Values)):
            params.update(row.params)
            metrics.update(row.metrics)
        return list(params), list(metrics)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Row]:
        """Yield what tables show of each run."""
        return chain.from_iterable(self.chunks(Row))

    def columns(self, wanted: Columns) -> dict[str, Sequence[Any]]:
        """Make columns of the rows."""
        return {**wanted.of(self.chunks(Row if wanted.record else Values)).columns}

    def picked(self, names: str | Iterable[str]) -> dict[str, Sequence[Any]]:
        """Make the columns of these names; raises KeyError if there are rows and none has one."""
        wanted = listed(names)
        there = self.columns(Columns())
        if len(self):
            _check_names(wanted, there)
        return {name: there.get(name, []) for name in wanted}


class LoggedRows(Rows):
    """Rows of which only the ids are held; the rest stays in the store's lines.

    Those of the runs that were ``chosen``, in that order; else of all in the order of the
    plan, which is found when it is first needed.
    """

    def __init__(
        self, log: RunLog, chosen: Sequence[str] | None = None, *, order: PlanOrder | None = None
    ) -> None:
        self._log = log
        self._chosen = chosen
        self._order = order

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the runs."""
        if self._chosen is not None:
            return self._chosen
        if self._order is None:
            self._order = PlanOrder.of(self._log)
        return self._order.ids

    def __len__(self) -> int:
        return len(self._log if self._chosen is None else self._chosen)

    def chunks(self, kind: type[R]) -> Iterator[list[R]]:
        """Decode the line of each run."""
        return decoded(self._log.blocks(self.ids), kind)

    def statuses(self) -> Iterator[str]:
        """Look the statuses up, decoding nothing."""
        return (state.status for state in self._log.states(self.ids) if state is not None)

    def records(self, places: Iterable[int] | None = None) -> Iterator[RunRecord]:
        """Make the records from their lines."""
        ids = self.ids if places is None else (self.ids[place] for place in places)
        return map(record_of, self._log.lines(ids))

    def select(self, places: Iterable[int]) -> LoggedRows:
        """Keep the ids at the places."""
        return LoggedRows(self._log, [self.ids[place] for place in places])

    def refreshed(self, log: RunLog) -> LoggedRows:
        """Read what changed: chosen runs stay the same ones, those forgotten apart."""
        if log is self._log:
            return self
        if self._chosen is not None:
            return LoggedRows(log, recorded(log, self._chosen))
        order = None if self._order is None else self._order.refreshed(log, self._log)
        return LoggedRows(log, order=order)

    def answer(self, query: Query, store: Store) -> Table:
        """Ask an index about all runs; else look at columns, or at lines where there are none."""
        from metalab.results.cached.answering import answer_from  # noqa: PLC0415  as in _cached

        if self._chosen is not None or store.index is None:
            cached = self._cached(build=query.aggregate is not None)
            found = None if cached is None else answer_from(cached, query, self._chosen)
            if found is not None:
                return found
        if self._chosen is None:
            return store.query(query, self._log)
        return answer(query, ChosenLines(self._log, self._chosen))

    def names(self) -> tuple[list[str], list[str]]:
        """Take the names from the columns, where they are kept."""
        if (cached := self._cached(build=True)) is None:
            return super().names()
        return cached.names_of("params"), cached.names_of("metrics")

    def columns(self, wanted: Columns) -> dict[str, Sequence[Any]]:
        """Make columns; as long as the order is unknown, it is found on the way."""
        if (cached := self._cached(build=wanted == Columns())) is not None:
            return cached.columns(wanted, self._chosen)
        kind = Row if wanted.record else Values
        if self._is_ordered:
            return {**wanted.of(decoded_by_shape(self._log.blocks(self.ids), kind)).columns}
        passing = PassingOrder()
        made = wanted.of(passing.noting(decoded_by_shape(self._log.blocks(), kind)))
        self._order, order = passing.found()
        if order is None:
            return {**made.columns}
        # Columns stand in the order in which runs first have them: where runs differ, that
        # has to be the order of the plan.
        if not made.alike or list(made.columns) != list(self.select([0]).columns(wanted)):
            return self.columns(wanted)
        return {name: [column[i] for i in order] for name, column in made.columns.items()}

    def picked(self, names: str | Iterable[str]) -> dict[str, Sequence[Any]]:
        """Make the columns of these names, decoding no others; see Rows.picked."""
        if (cached := self._cached(build=False)) is not None:
            _check_names(names := listed(names), cached.names)
            return cached.named(names, self._chosen)
        made = Picked(listed(names))
        passing = PassingOrder()
        is_ordered = self._is_ordered
        for _ in passing.noting(made.rows(self._log.blocks(self.ids if is_ordered else None))):
            pass
        order = None
        if not is_ordered:
            self._order, order = passing.found()
        empty = [name for name, column in made.columns.items() if column.count(None) == len(self)]
        if empty and len(self):
            _check_names(empty, self.columns(Columns()))
        if order is None:
            return {**made.columns}
        return {name: [column[i] for i in order] for name, column in made.columns.items()}

    def _cached(self, *, build: bool) -> CachedColumns | None:
        # Launches make no frames, and their start would pay for what makes those.
        from metalab.results.cached.reading import CachedColumns  # noqa: PLC0415

        if self._chosen is not None and _FEW * len(self._chosen) < len(self._log):
            return None
        found = CachedColumns.of(self._log, build=build)
        if self._chosen is None or found is None or found.is_uniform:
            return found
        return None

    @property
    def _is_ordered(self) -> bool:
        return self._chosen is not None or self._order is not None


class HeldRows(Rows):
    """Rows of records that somebody made."""

    def __init__(self, records: Sequence[RunRecord]) -> None:
        self._records = records

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the records."""
        return [record.run_id for record in self._records]

    def chunks(self, kind: type[R]) -> Iterator[list[R]]:  # noqa: ARG002  one kind is all kinds
        """Make a row of each record; it has all that any kind of row has."""
        yield [cast("R", _row_of(record)) for record in self._records]

    def statuses(self) -> Iterator[str]:
        """Yield the status of each record."""
        return (record.status for record in self._records)

    def records(self, places: Iterable[int] | None = None) -> Iterator[RunRecord]:
        """Yield the records themselves."""
        if places is None:
            return iter(self._records)
        return (self._records[place] for place in places)

    def select(self, places: Iterable[int]) -> HeldRows:
        """Keep the records at the places."""
        return HeldRows([self._records[place] for place in places])

    def answer(self, query: Query, store: Store) -> Table:  # noqa: ARG002  it does not have them
        """Answer from the records."""
        return answer(query, _HeldLines(self._records))

    def refreshed(self, log: RunLog) -> HeldRows:  # noqa: ARG002  they were not read from a log
        """Keep the records that somebody made."""
        return self


class _HeldLines:
    """The lines that a store would keep of records."""

    def __init__(self, records: Sequence[RunRecord]) -> None:
        self._lines = [msgspec.json.encode(document_of(record)) for record in records]

    def __len__(self) -> int:
        return len(self._lines)

    def blocks(self) -> Iterator[bytes]:
        """Yield the lines in one block."""
        if self._lines:
            yield b"\n".join(self._lines)


def _check_names(names: Iterable[str], there: Iterable[str]) -> None:
    known = set(there)
    for name in names:
        if name not in known:
            raise missing("these runs have", "column", name, known)


def _row_of(record: RunRecord) -> FullRow:
    return FullRow(
        id=record.run_id,
        index=record.index,
        params=record.params_resolved,
        metrics=record.metrics,
        status=record.status.value,
        attempt=record.attempt,
        code=record.provenance.code_hash or "",
        experiment=record.experiment_id,
        seed=record.seed,
        replicate=record.replicate,
        time=Time(_iso(record.started_at), _iso(record.finished_at)),
        ms=record.duration_ms,
        tags=tuple(record.tags),
        error=record.error,
        fingerprints=Fingerprints(
            record.context_fingerprint, record.params_fingerprint, record.seed_fingerprint
        ),
    )


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
