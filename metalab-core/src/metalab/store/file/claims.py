"""Claims in a folder: a name for each, which exists once whole, and is never changed.

``claims/<plan>/<writer>.json`` is a writer's card, and ``<unit>.<generation>`` a further name
of the card of the writer that made this claim: so a claim is one system call, and no inode.
Claims are not synced: one that a machine's death takes along had an owner that died, too.
"""

from __future__ import annotations

import json
from time import monotonic, sleep
from typing import TYPE_CHECKING

from metalab.errors import StoreError
from metalab.store.claiming import UNITS, Claim, Claims, unit_of
from metalab.store.file import disk, layout
from metalab.store.file.trouble import Trouble
from metalab.store.lines import FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["FileClaims"]

_PLAN = "plan.json"
_ADVICE = "remove its folder while no launch is under way, and claims are made anew"


class FileClaims(Claims):
    """The claims on the units of a plan of so many runs, in the folder that ``make`` makes.

    The first to come there cuts the plan into about ``units``.

    For ``timeout`` seconds a failing disk is borne. Raises StoreError for a damaged folder.
    """

    def __init__(
        self, make: Callable[[], Path], runs: int, timeout: float, units: int = UNITS
    ) -> None:
        self._make = make
        self._timeout = timeout
        self._document = {"format": FORMAT, "runs": runs, "unit": unit_of(runs, units)}
        # What a claim says never changes, so each is read once.
        self._known: dict[int, Claim] = {}
        self._cards: set[Path] = set()
        self._folder = self._prepare()
        self.size = self._size()

    def owners(self) -> dict[int, Claim]:
        """Return the newest claim on each unit; see Claims.owners."""
        newest: dict[int, int] = {}
        for name in disk.names(self._folder):
            unit, _, generation = name.partition(".")
            if unit.isdecimal() and generation.isdecimal():
                newest[int(unit)] = max(newest.get(int(unit), 0), int(generation))
        for number, last in newest.items():
            known = self._known.get(number)
            if known is None or known.generation < last:
                self._known[number] = self._read(number, last)
        return dict(self._known)

    def take(self, claim: Claim) -> bool:
        """Make a claim; see Claims.take. Raises StoreError if the disk fails for too long."""
        trouble = Trouble(self._timeout)
        while True:
            try:
                return self._link(claim)
            except FileNotFoundError as error:  # somebody removed the folder
                trouble.note(error, at_once=False)
                self._prepare()
            except OSError as error:
                trouble.note(error, at_once=disk.is_hopeless(error))
            trouble.raise_if_hopeless("no run can be claimed in the store")
            sleep(max(0.0, trouble.retry_at - monotonic()))

    def _prepare(self) -> Path:
        """Make the folder, and fix the size of units if nobody has."""
        self._cards.clear()
        folder = self._make()
        if not (folder / _PLAN).exists():
            disk.publish(folder / _PLAN, json.dumps(self._document).encode() + b"\n")
        return folder

    def _size(self) -> int:
        size = layout.read_json(self._folder / _PLAN, _ADVICE).get("unit")
        if isinstance(size, int) and size > 0:
            return size
        raise StoreError(f"{self._folder / _PLAN} tells no size of units; {_ADVICE}")

    def _link(self, claim: Claim) -> bool:
        card = self._folder / f"{claim.writer}.json"
        if card not in self._cards:
            said = {"writer": claim.writer, "launch": claim.launch}
            disk.publish(card, json.dumps(said).encode() + b"\n")
            self._cards.add(card)
        if not disk.link(card, self._folder / f"{claim.unit}.{claim.generation}"):
            return False
        self._known[claim.unit] = claim
        return True

    def _read(self, unit: int, generation: int) -> Claim:
        try:
            said = json.loads(disk.read_all(self._folder / f"{unit}.{generation}"))
            return Claim(unit, generation, str(said["writer"]), str(said["launch"]))
        except (ValueError, KeyError, TypeError, FileNotFoundError):
            # A claim that a machine's death left empty: nobody of that name is at work.
            return Claim(unit, generation, "", "")
