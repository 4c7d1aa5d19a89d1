"""What is read of an experiment at one moment: which line of each run counts, folded in memory.

Everything else is asked of the database when it is wanted. Lines are only ever added, so "all
up to line n" is the same for ever, and reading on is reading the lines after it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from metalab.records import Status
from metalab.store.base import RunLog, RunState
from metalab.store.fold import Key, is_forgotten, key_of
from metalab.store.folded import FoldedLog
from metalab.store.lines import parse_line
from metalab.store.reading import Damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from metalab.store.reading import Loss
    from metalab_sqlite.database import Database

__all__ = ["SqliteRunLog", "read_on"]

_COMPETING = ("run", "start", "forget")  # of these the greatest counts
_WINDOW = 256  # lines that are fetched together
_NEW = """
SELECT n, line FROM lines
WHERE experiment = ? AND n > ? AND n <= ? AND kind IN ('run', 'start', 'forget') ORDER BY n
"""
_ABOUT = """
SELECT line FROM lines
WHERE subject = ? AND kind IN ({}) AND experiment = ? AND n <= ? ORDER BY n
"""
_SUBJECTS = """
SELECT DISTINCT subject FROM lines
WHERE experiment = ? AND n <= ? AND kind NOT IN ('plan', 'release')
"""


@attrs.frozen
class _Current:
    """The line of a run that counts: its place in the order, its number, what it says."""

    key: Key
    number: int
    state: RunState | None  # None: forgotten


class SqliteRunLog(RunLog):
    """The lines of one experiment up to a number; see RunLog."""

    def __init__(
        self,
        database: Database,
        experiment: str,
        last: int = 0,
        current: Mapping[str, _Current] | None = None,
        forgets: Mapping[str, int] | None = None,
        damage: tuple[Damage, ...] = (),
    ) -> None:
        self.database = database
        self.experiment = experiment
        self.last = last
        self.current: Mapping[str, _Current] = current or {}
        self.forgets: Mapping[str, int] = forgets or {}
        self.damage = damage
        self._count = sum(each.state is not None for each in self.current.values())

    def __len__(self) -> int:
        """Count the runs that have a record."""
        return self._count

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of those runs, in the order in which they were met."""
        return (run_id for run_id, each in self.current.items() if each.state is not None)

    def state(self, run_id: str) -> RunState | None:
        """Return what resuming must know of a run, or None."""
        found = self.current.get(run_id)
        return None if found is None else found.state

    def forgotten(self, run_id: str) -> int:
        """Return the epoch in which a forgotten run begins anew, else 0."""
        return self.forgets.get(run_id, 0)

    def lines(self, run_ids: Iterable[str] | None = None) -> Iterator[bytes]:
        """Yield the current line of each run; see RunLog.lines."""
        numbers = (self._number(run_id) for run_id in (self if run_ids is None else run_ids))
        while window := list(islice(numbers, _WINDOW)):
            marks = ", ".join("?" * len(window))
            found: dict[int, bytes] = dict(
                self.database.rows(f"SELECT n, line FROM lines WHERE n IN ({marks})", window)  # noqa: S608  marks alone
            )
            yield from (found[number] for number in window)

    def attempts(self, run_id: str) -> list[bytes]:
        """Return every line kept of a run's attempts, oldest attempt first."""
        return self._folded(run_id, "run", "start").attempts(run_id)

    def losses(self, run_id: str) -> list[Loss]:
        """Return the attempts at a run that were lost, each once, in order."""
        return self._folded(run_id, "lost").losses(run_id)

    def released(self, plan: str) -> dict[int, set[str]]:
        """Return, by unit of a plan, the writers that have given up their claim on it."""
        return self._folded(plan, "release").released(plan)

    def subjects(self) -> Iterator[str]:
        """Yield the id of every run that any line is about, once."""
        found = self.database.rows(_SUBJECTS, (self.experiment, self.last))
        return (subject for (subject,) in found)

    def history(self, run_ids: Iterable[str]) -> Iterator[list[bytes]]:
        """Yield for each run all lines about it, of every kind; see RunLog.history."""
        kinds = (*_COMPETING, "series", "derived", "lost")
        return (self._about(run_id, *kinds) for run_id in run_ids)

    def series(self, run_id: str) -> dict[str, list[tuple[int | float, Any]]]:
        """Return the metric series of a run's current attempt."""
        return self._folded(run_id, *_COMPETING, "series").series(run_id)

    def derived(self, run_id: str) -> dict[str, Mapping[str, Any]]:
        """Return a run's derived values by the name of the function that made them."""
        return self._folded(run_id, *_COMPETING, "derived").derived(run_id)

    def _number(self, run_id: str) -> int:
        found = self.current.get(run_id)
        if found is None or found.state is None:
            raise KeyError(run_id)
        return found.number

    def _about(self, subject: str, *kinds: str) -> list[bytes]:
        statement = _ABOUT.format(", ".join("?" * len(kinds)))
        values = (subject, *kinds, self.experiment, self.last)
        return [line for (line,) in self.database.rows(statement, values)]

    def _folded(self, subject: str, *kinds: str) -> FoldedLog:
        """Fold the lines about one run, or one plan."""
        lines = enumerate(self._about(subject, *kinds))
        return FoldedLog({str(number): line for number, line in lines})


def read_on(log: SqliteRunLog) -> SqliteRunLog:
    """Return the log with the lines that were added since, or itself if there are none."""
    # One number for all that is read, or a line that is added meanwhile may be passed over.
    ((last,),) = log.database.rows("SELECT coalesce(max(n), 0) FROM lines")
    if last == log.last:
        return log
    current, forgets, damage = dict(log.current), dict(log.forgets), list(log.damage)
    for number, line in log.database.rows(_NEW, (log.experiment, log.last, last)):
        document = parse_line(line)
        if document is None:
            place = f"{log.database.path}, line {number}"
            damage.append(Damage(place, "its checksum is not that of its bytes"))
            continue
        run_id, key = document["id"], key_of(document)
        if document["t"] == "forget":
            forgets[run_id] = max(forgets.get(run_id, 0), document["epoch"])
        rival = current.get(run_id)
        if rival is None or key > rival.key:
            current[run_id] = _Current(key, number, _state_of(document, key))
    return SqliteRunLog(log.database, log.experiment, last, current, forgets, tuple(damage))


def _state_of(document: Mapping[str, Any], key: Key) -> RunState | None:
    if is_forgotten(key):
        return None
    return RunState(
        Status(document["status"]), document["epoch"], document["attempt"], document["code"]
    )
