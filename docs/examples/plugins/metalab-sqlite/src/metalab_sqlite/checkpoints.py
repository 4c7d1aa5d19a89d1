"""Checkpoints as rows: the last two of a run, so that one is there if the newest is damaged."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from metalab.checkpoints import Checkpoints
from metalab.errors import PayloadError, StoreError

if TYPE_CHECKING:
    from metalab_sqlite.database import Database

__all__ = ["SqliteCheckpoints", "has_checkpoint"]

_KEEP = """
INSERT INTO checkpoints (experiment, run, epoch, attempt, sha256, body) VALUES (?, ?, ?, ?, ?, ?)
"""
_PRUNE = """
DELETE FROM checkpoints WHERE run = ?1 AND experiment = ?2 AND n NOT IN (
    SELECT n FROM checkpoints WHERE run = ?1 AND experiment = ?2
    ORDER BY epoch DESC, attempt DESC, n DESC LIMIT 2
)
"""
_LATEST = """
SELECT sha256, body FROM checkpoints
WHERE run = ? AND experiment = ? AND epoch = ? AND attempt <= ? ORDER BY attempt DESC, n DESC
"""
_CLEAR = "DELETE FROM checkpoints WHERE run = ? AND experiment = ? AND epoch <= ?"
_HAS = """
SELECT 1 FROM checkpoints WHERE run = ? AND experiment = ? AND epoch = ? AND attempt = ? LIMIT 1
"""


class SqliteCheckpoints(Checkpoints):
    """The checkpoints of a run, as an attempt at it keeps and finds them; see Checkpoints."""

    def __init__(
        self, database: Database, experiment: str, run_id: str, epoch: int, attempt: int
    ) -> None:
        super().__init__()
        self._database = database
        self._run = (run_id, experiment)
        self._place = (epoch, attempt)

    def keep(self, data: bytes) -> None:
        """Keep a checkpoint durably; see Checkpoints.keep."""
        run_id, experiment = self._run
        row = (experiment, run_id, *self._place, sha256(data).hexdigest(), data)
        with self._database.writing(experiment, durable=True) as connection:
            connection.execute(_KEEP, row)
            connection.execute(_PRUNE, self._run)

    def latest(self) -> bytes | None:
        """Return the newest that is whole; see Checkpoints.latest."""
        found = self._database.rows(_LATEST, (*self._run, *self._place))
        if found:
            self._check_trusted()
        for digest, body in found:
            if sha256(body).hexdigest() == digest:
                return bytes(body)
            self.warnings.append(
                f"a checkpoint in {self._database.path} is damaged: it was passed over for the "
                "one before it"
            )
        return None

    def clear(self) -> None:
        """Remove all of this epoch and before; see Checkpoints.clear."""
        with suppress(StoreError), self._database.writing(self._run[1]) as connection:
            connection.execute(_CLEAR, (*self._run, self._place[0]))

    def _check_trusted(self) -> None:
        try:
            self._database.check_trusted()
        except StoreError as error:
            raise PayloadError(str(error)) from error


def has_checkpoint(
    database: Database, experiment: str, run_id: str, place: tuple[int, int]
) -> bool:
    """Tell whether an attempt has kept a checkpoint."""
    return bool(database.rows(_HAS, (run_id, experiment, *place)))
