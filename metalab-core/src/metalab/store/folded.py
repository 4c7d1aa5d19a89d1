"""A folded log in memory: what a store answers with that gives its lines back and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from metalab.records import Status
from metalab.store.fold import (
    attempts_in_order,
    fold,
    fold_derived,
    fold_series,
    is_forgotten,
    key_of,
)
from metalab.store.lines import crc_of, parse_line
from metalab.store.reading import Damage, Loss, RunLog, RunState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["FoldedLog"]

_COMPETING = frozenset({"run", "start", "forget"})  # of these the greatest counts


class FoldedLog(RunLog):
    """The lines of one experiment that a store kept at one moment, folded.

    ``kept`` has each line as it was written, by its place: whatever tells people where a line
    is, should it be damaged. Lines may come in any order, and copies of one from two places.
    A line that cannot be read is passed over and told of in ``damage``. All lines stay in
    memory; a store for millions of runs has a RunLog of its own, which keeps their places.
    """

    def __init__(self, kept: Mapping[str, bytes]) -> None:
        self.kept = kept
        self._about: dict[str, list[tuple[bytes, dict[str, Any]]]] = {}
        self._releases: list[dict[str, Any]] = []
        damage = []
        for place, line in kept.items():
            document = parse_line(line)
            if document is None:
                damage.append(Damage(place, "its checksum is not that of its bytes"))
            elif "id" in document:
                pair = line.rstrip(b"\n"), document
                self._about.setdefault(document["id"], []).append(pair)
            elif document["t"] == "release":
                self._releases.append(document)
        self.damage = tuple(damage)
        told = (document for pairs in self._about.values() for _, document in pairs)
        self._current = fold(document for document in told if document["t"] in _COMPETING)

    def __len__(self) -> int:
        """Count the runs that have a record."""
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of those runs, in the order in which they were met."""
        return (run_id for run_id, line in self._current.items() if not is_forgotten(key_of(line)))

    def current(self, run_id: str) -> Mapping[str, Any] | None:
        """Return the document of the line that counts of a run, or None if it has no record."""
        document = self._current.get(run_id)
        return None if document is None or is_forgotten(key_of(document)) else document

    def state(self, run_id: str) -> RunState | None:
        """Return what resuming must know of a run, or None."""
        current = self.current(run_id)
        if current is None:
            return None
        return RunState(
            Status(current["status"]), current["epoch"], current["attempt"], current["code"]
        )

    def forgotten(self, run_id: str) -> int:
        """Return the epoch in which a forgotten run begins anew, else 0."""
        return max((each["epoch"] for each in self._documents(run_id, "forget")), default=0)

    def lines(self, run_ids: Iterable[str] | None = None) -> Iterator[bytes]:
        """Yield the current line of each run; see RunLog.lines."""
        return map(self._line, self if run_ids is None else run_ids)

    def attempts(self, run_id: str) -> list[bytes]:
        """Return every line kept of a run's attempts, oldest attempt first."""
        return attempts_in_order(line for line, _ in self._competing(run_id))

    def losses(self, run_id: str) -> list[Loss]:
        """Return the attempts at a run that were lost, each once, in order."""
        found = {
            Loss(each["epoch"], each["attempt"], each["died"], each["cause"])
            for each in self._documents(run_id, "lost")
        }
        return sorted(found, key=attrs.astuple)

    def released(self, plan: str) -> dict[int, set[str]]:
        """Return, by unit of a plan, the writers that have given up their claim on it."""
        units: dict[int, set[str]] = {}
        for document in self._releases:
            for unit in document["units"] if document["plan"] == plan else ():
                units.setdefault(unit, set()).add(document["writer"])
        return units

    def subjects(self) -> Iterator[str]:
        """Yield the id of every run that any line is about, once."""
        return iter(self._about)

    def history(self, run_ids: Iterable[str]) -> Iterator[list[bytes]]:
        """Yield for each run all lines about it, of every kind; see RunLog.history."""
        return ([line for line, _ in self._about.get(run_id, ())] for run_id in run_ids)

    def series(self, run_id: str) -> dict[str, list[tuple[int | float, Any]]]:
        """Return the metric series of a run's current attempt."""
        current = self.current(run_id)
        return {} if current is None else fold_series(self._documents(run_id, "series"), current)

    def derived(self, run_id: str) -> dict[str, Mapping[str, Any]]:
        """Return a run's derived values by the name of the function that made them."""
        documents = self._documents(run_id, "derived") if run_id in self else []
        return fold_derived(documents, crc_of(self._line(run_id))) if documents else {}

    def _line(self, run_id: str) -> bytes:
        current = self.current(run_id)
        if current is None:
            raise KeyError(run_id)
        key = key_of(current)
        return next(line for line, document in self._competing(run_id) if key_of(document) == key)

    def _competing(self, run_id: str) -> list[tuple[bytes, dict[str, Any]]]:
        return [pair for pair in self._about.get(run_id, ()) if pair[1]["t"] in _COMPETING]

    def _documents(self, run_id: str, kind: str) -> list[dict[str, Any]]:
        return [document for _, document in self._about.get(run_id, ()) if document["t"] == kind]
