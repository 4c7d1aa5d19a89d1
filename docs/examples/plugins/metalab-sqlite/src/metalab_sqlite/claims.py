"""Claims as rows: whoever inserts a unit's next generation first has the unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.store.claiming import Claim, Claims, unit_of

if TYPE_CHECKING:
    from metalab_sqlite.database import Database

__all__ = ["SqliteClaims"]

_CUT = "INSERT OR IGNORE INTO plans VALUES (?, ?, ?)"
_SIZE = "SELECT size FROM plans WHERE experiment = ? AND plan = ?"
_TAKE = "INSERT OR IGNORE INTO claims VALUES (?, ?, ?, ?, ?, ?)"
_TAKEN = """
SELECT writer, launch FROM claims
WHERE experiment = ? AND plan = ? AND unit = ? AND generation = ?
"""
# Beside max() SQLite gives the other columns of the row that has it.
_OWNERS = """
SELECT unit, max(generation), writer, launch FROM claims
WHERE experiment = ? AND plan = ? GROUP BY unit
"""


class SqliteClaims(Claims):
    """The claims on the units of a plan of so many runs; the first to come cuts it."""

    def __init__(
        self, database: Database, experiment: str, plan: str, runs: int, units: int
    ) -> None:
        self._database = database
        self._place = (experiment, plan)
        with database.writing(experiment) as connection:
            connection.execute(_CUT, (*self._place, unit_of(runs, units)))
            ((self.size,),) = connection.execute(_SIZE, self._place).fetchall()

    def owners(self) -> dict[int, Claim]:
        """Return the newest claim on each unit."""
        rows = self._database.rows(_OWNERS, self._place)
        return {row[0]: Claim(*row) for row in rows}

    def take(self, claim: Claim) -> bool:
        """Make a claim; False if another has that unit and generation."""
        where = (*self._place, claim.unit, claim.generation)
        who = (claim.writer, claim.launch)
        with self._database.writing(self._place[0]) as connection:
            connection.execute(_TAKE, (*where, *who))
            (taken,) = connection.execute(_TAKEN, where).fetchall()
        return bool(taken == who)
