"""A live experiment, looked at again and again: each look reads only what was added."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from metalab.cli.causes import cause_of
from metalab.records import Status
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
    ``failed`` are the last few that failed, the newest last.
    """

    experiment_id: str
    counts: Mapping[str, int]
    total: int | None
    rate: float | None
    left: float | None
    is_done: bool
    newest: Run | None
    failed: Sequence[Run]

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
        }


class Follower:
    """Looks at the store of one experiment."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._log: RunLog | None = None
        self._launch: Mapping[str, Any] = {}
        self._launch_name = ""
        self._ended: set[str] = set()  # the runs that ended since the last launch
        self._began: tuple[float, int] | None = None

    def look(self) -> Look | None:
        """Return how things stand, or None if that is as it was at the last look.

        Raises StoreNotFoundError if the store was removed. After another StoreError the
        next look finds what this one would have.
        """
        before, log = self._log, self._store.read(self._log)
        if not len(log):
            self._store.config.open().close()
        if log is before:
            return None
        lines = list(self._new_lines(log, before))
        self._log = log
        return self._seen(log, lines)

    def _new_lines(self, log: RunLog, before: RunLog | None) -> Iterator[_Line]:
        """Decode the lines of the runs that changed; of all runs, if there is a new launch."""
        launches = self._store.launches()
        name = next(reversed(launches), "")
        if before is None or name != self._launch_name:
            found = _lines(log.blocks())
            self._launch_name, self._launch = name, launches.get(name, {})
            self._ended = set()
        else:
            found = _lines(log.blocks(dict.fromkeys(log.changed(before))))
        for line in found:
            if line.status != Status.RUNNING and self._is_of_launch(line):
                self._ended.add(line.id)
            yield line

    def _is_of_launch(self, line: _Line) -> bool:
        # Launches of one experiment share its runs, so that another's may count, too.
        since = self._launch.get("started", "")
        return line.launch == self._launch_name or (line.time.end or "") >= since

    def _seen(self, log: RunLog, lines: Sequence[_Line]) -> Look:
        counts = dict.fromkeys((status.value for status in Status), 0)
        for state in log.states(log):
            if state is not None:
                counts[state.status.value] += 1
        total = self._launch.get("runs")
        pending = self._launch.get("pending", 0)
        rate = self._rate()
        to_do = max(pending - len(self._ended), 0)
        return Look(
            str(self._store.experiment_id),
            counts,
            total,
            rate,
            to_do / rate if rate else 0.0 if total is not None and not to_do else None,
            total is not None and not to_do and not counts[Status.RUNNING],
            next(self._runs(log, _last(lines, Status.SUCCESS, 1)), None),
            list(self._runs(log, _last(lines, Status.FAILED, _TOLD))),
        )

    def _rate(self) -> float | None:
        now, ended = self._clock(), len(self._ended)
        if self._began is None or ended < self._began[1]:
            self._began = now, ended
        since, before = self._began
        return (ended - before) / (now - since) if ended > before and now > since else None

    def _runs(self, log: RunLog, run_ids: Iterable[str]) -> Iterator[Run]:
        return (Run(record_of(line), self._store) for line in log.lines(run_ids))


class _Time(msgspec.Struct, gc=False):
    end: str | None = None


class _Line(msgspec.Struct, gc=False):
    id: str
    status: str
    launch: str = ""
    time: _Time = msgspec.field(default_factory=_Time)


_decode = msgspec.json.Decoder(_Line).decode_lines


def _lines(blocks: Iterable[bytes]) -> Iterator[_Line]:
    return (line for block in blocks for line in _decode(block))


def _last(lines: Iterable[_Line], status: Status, count: int) -> list[str]:
    found = sorted((line.time.end or "", line.id) for line in lines if line.status == status)
    return [run_id for _, run_id in found[-count:]]
