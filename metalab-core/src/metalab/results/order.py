"""The order of the plan: runs by their index, then by id; found once, then kept up to date."""

from __future__ import annotations

import operator
from array import array
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from metalab.store.base import RunLog

__all__ = ["PassingOrder", "PlanOrder", "recorded"]


class _Place(msgspec.Struct, gc=False):
    id: str
    index: int = 0


_places = msgspec.json.Decoder(_Place).decode_lines


def recorded(log: RunLog, order: Iterable[str]) -> list[str]:
    """List those of the runs that have a record, in the order given."""
    known = set(log)
    return [run_id for run_id in order if run_id in known]


@attrs.frozen
class PlanOrder:
    """The ids of all runs of a log in the order of the plan, and the index of each."""

    ids: list[str]
    indices: array[int]

    @classmethod
    def of(cls, log: RunLog) -> PlanOrder:
        """Find the order by reading every line."""
        return _sorted(_places_in(log.blocks()))

    def refreshed(self, log: RunLog, since: RunLog) -> PlanOrder:
        """Return the order of a later log, reading only the lines of runs that changed."""
        changed = dict.fromkeys(log.changed(since))
        known = zip(self.indices, self.ids, log.states(self.ids), strict=True)
        kept = ((index, id_) for index, id_, state in known if state and id_ not in changed)
        return _sorted(chain(kept, _places_in(log.blocks(changed))))


class PassingOrder:
    """Notes the places of rows in the plan while they pass by."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._indices = array("q")

    def noting(self, chunks: Iterable[list[Any]]) -> Iterator[list[Any]]:
        """Yield chunks of rows, which have an id and an index, as they are."""
        for chunk in chunks:
            self._ids.extend([row.id for row in chunk])
            self._indices.extend([row.index for row in chunk])
            yield chunk

    def found(self) -> tuple[PlanOrder, list[int] | None]:
        """Return the order, and which row stands where in it; None if that is how they came."""
        indices, ids = self._indices, self._ids
        if all(map(operator.lt, indices, islice(indices, 1, None))):
            return PlanOrder(ids, indices), None
        order = (
            sorted(range(len(ids)), key=ids.__getitem__) if self._has_ties() else range(len(ids))
        )
        rows = sorted(order, key=indices.__getitem__)
        return PlanOrder([ids[i] for i in rows], array("q", [indices[i] for i in rows])), rows

    def _has_ties(self) -> bool:
        return len(set(self._indices)) < len(self._indices)


def _places_in(blocks: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    return ((place.index, place.id) for place in chain.from_iterable(map(_places, blocks)))


def _sorted(places: Iterable[tuple[int, str]]) -> PlanOrder:
    ordered = sorted(places)
    return PlanOrder([run_id for _, run_id in ordered], array("q", [i for i, _ in ordered]))
