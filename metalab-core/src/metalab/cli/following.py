"""A live experiment, looked at again and again: each look reads only what was added."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from metalab.cli.causes import cause_of
from metalab.cli.vigil import Vigil
from metalab.detached import DetachedLaunch
from metalab.records import RETRIED, Status
from metalab.results import Run
from metalab.store.document import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from metalab.store.base import RunLog, Store

__all__ = ["Follower", "Look"]

_TOLD = 5


@attrs.frozen
class Look:
    """How an experiment stood at one look, and which runs ended since the one before.

    ``total`` is the number of runs that the last launch is about, None before any. ``rate``
    is runs ended per second since the first look, ``left`` the seconds to the end at that
    rate; None where nothing has ended since. ``newest`` is the run that succeeded last,
    ``failed`` are the last few that failed, the newest last. ``jobs`` is what the executor
    says of a launch that goes on by itself, None of any other.
    """

    experiment_id: str
    counts: Mapping[str, int]
    total: int | None
    rate: float | None
    left: float | None
    is_done: bool
    newest: Run | None
    failed: Sequence[Run]
    jobs: Mapping[str, Any] | None = None

    @property
    def words(self) -> Sequence[str]:
        """What the executor says of the launch, in lines."""
        return self.jobs["words"] if self.jobs is not None else ()

    @property
    def ended(self) -> int:
        """How many runs have ended, however they did."""
        return sum(self.counts.values()) - self.counts[Status.RUNNING]

    def document(self) -> dict[str, Any]:
        """Describe it for programs."""
        newest = self.newest
        return {
            "experiment_id": self.experiment_id,
            "total": self.total,
            **self.counts,
            "rate": self.rate,
            "left": self.left,
            "done": self.is_done,
            "newest": newest and {"run_id": newest.run_id, "metrics": newest.metrics},
            "failures": [{"run_id": run.run_id, "cause": cause_of(run)} for run in self.failed],
            "jobs": self.jobs,
        }


@attrs.frozen
class _Known:
    """What was read so far: the last launch, and the runs that ended since it began.

    ``writers`` are those who ended them, or have begun others. ``vigil`` is there for a launch
    that goes on by itself.
    """

    log: RunLog
    name: str
    launch: Mapping[str, Any]
    ended: frozenset[str]
    writers: frozenset[str]
    vigil: Vigil | None

    @property
    def to_do(self) -> int | None:
        """How many runs of the launch have not ended; None before any launch."""
        pending: int | None = self.launch.get("pending")
        return None if pending is None else max(pending - len(self.ended), 0)


class Follower:
    """Looks at the store of one experiment."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: _Known | None = None
        self._began: tuple[float, int] | None = None
        self._last: Look | None = None

    def look(self) -> Look | None:
        """Return how things stand, or None if that is as it was at the last look.

        Raises StoreNotFoundError if the store was removed. After another StoreError the
        next look finds what this one would have.
        """
        before = self._known
        log = self._store.read(None if before is None else before.log)
        if not len(log):
            self._store.config.open().close()
        if before is not None and log is before.log:
            return self._heard(before.vigil)
        known, lines = self._read(log, before)
        if known.vigil is not None:
            known.vigil.ask()
        self._last = look = self._seen(known, lines)
        self._known = known
        return look

    def _heard(self, vigil: Vigil | None) -> Look | None:
        """Return the last look again with what the executor says now, if that is news."""
        if vigil is None or self._last is None or not vigil.ask():
            return None
        self._last = attrs.evolve(self._last, newest=None, failed=[], jobs=vigil.jobs)
        return self._last

    def is_over(self) -> bool:
        """Tell whether all who have executed runs of the launch have ended, in order or not.

        Of a launch that goes on by itself its executor knows.
        """
        if self._known is not None and self._known.vigil is not None:
            return self._known.vigil.is_over()
        writers = self._known.writers if self._known is not None else frozenset[str]()
        return bool(writers) and all(self._store.ending(each) is not None for each in writers)

    def _read(self, log: RunLog, before: _Known | None) -> tuple[_Known, list[_Line]]:
        """Decode the lines of the runs that changed; of all runs, if there is a new launch."""
        launches = self._store.launches()
        name = next(reversed(launches), "")
        if before is None or name != before.name:
            before = None
            launch: Mapping[str, Any] = launches.get(name, {})
            vigil = self._vigil(name, launch)
            blocks = log.blocks()
        else:
            changed = dict.fromkeys(log.changed(before.log))
            launch, blocks, vigil = before.launch, log.blocks(changed), before.vigil
        lines = [line for block in blocks for line in _decode(block)]
        ended = [line for line in lines if line.has_ended_in(name, launch)]
        begun = [line for line in lines if line.status == Status.RUNNING]
        ids = frozenset(line.id for line in ended)
        writers = frozenset(line.writer for line in ended + begun)
        if before is not None:
            ids, writers = ids | before.ended, writers | before.writers
        return _Known(log, name, launch, ids, writers, vigil), lines

    def _vigil(self, name: str, launch: Mapping[str, Any]) -> Vigil | None:
        if not launch.get("is_detached"):
            return None
        store = self._store

        def find() -> DetachedLaunch | None:
            return next((each for each in DetachedLaunch.all_of(store) if each.name == name), None)

        return Vigil(find, self._clock)

    def _seen(self, known: _Known, lines: Sequence[_Line]) -> Look:
        log, to_do, rate = known.log, known.to_do, self._rate(len(known.ended))
        counts = dict.fromkeys((status.value for status in Status), 0)
        for state in log.states(log):
            if state is not None:
                counts[state.status.value] += 1
        return Look(
            experiment_id=str(self._store.experiment_id),
            counts=counts,
            total=known.launch.get("runs"),
            rate=rate,
            left=_left(to_do, rate),
            is_done=to_do == 0 and not counts[Status.RUNNING],
            newest=next(self._runs(log, _last(lines, Status.SUCCESS, 1)), None),
            failed=list(self._runs(log, _last(lines, Status.FAILED, _TOLD))),
            jobs=None if known.vigil is None else known.vigil.jobs,
        )

    def _rate(self, ended: int) -> float | None:
        now = self._clock()
        if self._began is None or ended < self._began[1]:
            self._began = now, ended
        since, before = self._began
        return (ended - before) / (now - since) if ended > before and now > since else None

    def _runs(self, log: RunLog, run_ids: Iterable[str]) -> Iterator[Run]:
        return (Run(record_of(line), self._store) for line in log.lines(run_ids))


def _left(to_do: int | None, rate: float | None) -> float | None:
    if to_do == 0:
        return 0.0
    return None if to_do is None or rate is None else to_do / rate


class _Time(msgspec.Struct, gc=False):
    end: str | None = None


class _Provenance(msgspec.Struct, gc=False):
    extra: dict[str, Any] | None = None


class _Line(msgspec.Struct, gc=False):
    id: str
    status: str
    launch: str = ""
    writer: str = ""
    time: _Time = msgspec.field(default_factory=_Time)
    provenance: _Provenance | None = None

    @property
    def is_tried_again(self) -> bool:
        """Whether it failed and is not given up."""
        extra = self.provenance.extra if self.provenance is not None else None
        return RETRIED in (extra or {})

    def has_ended_in(self, name: str, launch: Mapping[str, Any]) -> bool:
        """Tell whether the run ended in a launch or since it began.

        Launches of one experiment share its runs, so that another's may count, too.
        """
        if self.status == Status.RUNNING or self.is_tried_again:
            return False
        if self.status == Status.CANCELLED and launch.get("is_detached"):
            return False  # it was cut short, and is gone on with
        return self.launch == name or (self.time.end or "") >= launch.get("started", "")


_decode = msgspec.json.Decoder(_Line).decode_lines


def _last(lines: Iterable[_Line], status: Status, count: int) -> list[str]:
    found = sorted((line.time.end or "", line.id) for line in lines if line.status == status)
    return [run_id for _, run_id in found[-count:]]
