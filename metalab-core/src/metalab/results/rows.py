"""Rows: the runs of a Results in order, decoded from the store's lines when they are looked at."""

from __future__ import annotations

import abc
from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec

from metalab.identity.values import from_jsonable
from metalab.store.document import record_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from metalab.records import RunRecord
    from metalab.store.base import RunLog

__all__ = ["HeldRows", "LoggedRows", "Row", "Rows", "decoded", "in_plan_order"]


class Fingerprints(msgspec.Struct, frozen=True, gc=False):
    """The fingerprints of what a run was given."""

    context: str = ""
    params: str = ""
    seed: str = ""


class Time(msgspec.Struct, frozen=True, gc=False):
    """When a run began and ended: ISO 8601 in UTC with microseconds."""

    start: str | None = None
    end: str | None = None


class Row(msgspec.Struct):
    """What tables show of a run; the names are those of the keys in the store's lines."""

    id: str
    status: str
    attempt: int = 1
    code: str = ""
    experiment: str = ""
    seed: Any = None
    replicate: int | None = None
    fingerprints: Fingerprints = Fingerprints()
    params: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    time: Time = Time()
    ms: float | None = None
    tags: list[str] = []
    error: dict[str, str] | None = None


class _Place(msgspec.Struct, gc=False):
    id: str
    index: int = 0


_row = msgspec.json.Decoder(Row).decode
_place = msgspec.json.Decoder(_Place).decode


def decoded(lines: Iterable[bytes]) -> Iterator[Row]:
    """Decode lines of runs."""
    for line in lines:
        row = _row(line)
        # A value that is no plain JSON is tagged by a key that begins with a dollar sign;
        # without one in the whole line there is nothing to revive.
        if b"$" in line:
            row.params = from_jsonable(row.params)
            row.metrics = from_jsonable(row.metrics)
            row.seed = from_jsonable(row.seed)
        yield row


def in_plan_order(log: RunLog, order: Iterable[str] | None) -> list[str]:
    """List the runs that have a record: in the order given, else by index and then by id."""
    if order is not None:
        known = set(log)
        return [run_id for run_id in order if run_id in known]
    places = sorted((place.index, place.id) for place in map(_place, log.lines()))
    return [run_id for _, run_id in places]


class Rows(abc.ABC):
    """The runs of a Results, in order."""

    ids: Sequence[str]

    @abc.abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yield what tables show of each run."""

    @abc.abstractmethod
    def records(self, places: Iterable[int] | None = None) -> Iterator[RunRecord]:
        """Yield the records, all of them or those at certain places."""

    @abc.abstractmethod
    def select(self, places: Iterable[int]) -> Rows:
        """Return some of the rows."""


class LoggedRows(Rows):
    """Rows of which only the ids are held; the rest stays in the store's lines."""

    def __init__(self, log: RunLog, ids: Sequence[str]) -> None:
        self._log = log
        self.ids = ids

    def rows(self) -> Iterator[Row]:
        """Decode the line of each run."""
        return decoded(self._log.lines(self.ids))

    def records(self, places: Iterable[int] | None = None) -> Iterator[RunRecord]:
        """Make the records from their lines."""
        ids = self.ids if places is None else (self.ids[place] for place in places)
        return map(record_of, self._log.lines(ids))

    def select(self, places: Iterable[int]) -> LoggedRows:
        """Keep the ids at the places."""
        return LoggedRows(self._log, [self.ids[place] for place in places])


class HeldRows(Rows):
    """Rows of records that somebody made."""

    def __init__(self, records: Sequence[RunRecord]) -> None:
        self._records = records
        self.ids = [record.run_id for record in records]

    def rows(self) -> Iterator[Row]:
        """Make a row of each record."""
        return map(_row_of, self._records)

    def records(self, places: Iterable[int] | None = None) -> Iterator[RunRecord]:
        """Yield the records themselves."""
        if places is None:
            return iter(self._records)
        return (self._records[place] for place in places)

    def select(self, places: Iterable[int]) -> HeldRows:
        """Keep the records at the places."""
        return HeldRows([self._records[place] for place in places])


def _row_of(record: RunRecord) -> Row:
    return Row(
        id=record.run_id,
        status=record.status.value,
        attempt=record.attempt,
        code=record.provenance.code_hash or "",
        experiment=record.experiment_id,
        seed=record.seed,
        replicate=record.replicate,
        fingerprints=Fingerprints(
            record.context_fingerprint, record.params_fingerprint, record.seed_fingerprint
        ),
        params=record.params_resolved,
        metrics=record.metrics,
        time=Time(_iso(record.started_at), _iso(record.finished_at)),
        ms=record.duration_ms,
        tags=record.tags,
        error=record.error,
    )


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
