"""Claimants: in whose name a launch claims units of its plan, and gives them up.

That a writer gave a unit up counts for every claim it has on that unit, for what others read is
the writer's name. So a launch that has given up units, and goes on, claims with another writer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.store.claiming import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from metalab.store.base import StoreWriter
    from metalab.store.claiming import Claims

__all__ = ["Claimant"]


class Claimant:
    """Claims units of a plan for a launch; to be used by one thread at a time.

    ``writer`` is used, and left open; those that ``another`` opens are closed here. Raises
    StoreError.
    """

    def __init__(
        self,
        plan: str,
        launch: str,
        writer: StoreWriter,
        another: Callable[[], StoreWriter] | None = None,
    ) -> None:
        self._plan = plan
        self._launch = launch
        self._another = another
        self._writers = [writer]
        self._joined: set[str] = set()  # the names of writers
        self._held: dict[int, StoreWriter] = {}

    def take(self, claims: Claims, unit: int, generation: int) -> bool:
        """Claim a unit; False if another has that generation of it."""
        writer = self._writers[-1]
        if writer.name not in self._joined:
            self._joined.add(writer.name)
            writer.join(self._plan)
        if not claims.take(Claim(unit, generation, writer.name, self._launch)):
            return False
        self._held[unit] = writer
        return True

    def renew(self) -> bool:
        """Be ready to give units up, and to claim further ones; False where that cannot be."""
        if self._another is None:
            return False
        writer = self._another()
        try:
            writer.attend()
        except RuntimeError:  # the interpreter shuts down, and starts no thread any more
            writer.close()
            return False
        self._writers.append(writer)
        return True

    def give_up(self, units: Collection[int]) -> None:
        """Leave units to whoever claims them next; returns once others can know it."""
        for writer in self._writers:
            if mine := sorted(unit for unit in units if self._held.get(unit) is writer):
                writer.release(self._plan, mine)
                writer.flush()

    def end(self, units: Collection[int]) -> None:
        """Leave units to others, and claim none any more; the first writer is to be closed next."""
        self.give_up(units)
        for writer in self._writers[1:]:
            writer.close()
