"""Owners: what a pilot is called in the store, so that anybody can ask Slurm about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Owner"]

_is_owner = re.compile(r"(\d+)\+(\d+)@(\d+)(?: (.+))?", re.DOTALL).fullmatch


@attrs.frozen
class Owner:
    """One life of a job: a job that is requeued has the same number, and one restart more.

    ``since`` is the unix time at which it was there, ``log`` the file that it prints to.
    """

    job: str
    restarts: int
    since: int
    log: Path | None

    @classmethod
    def here(cls, environ: Mapping[str, str], since: float, log: Path | None) -> Owner:
        """Read what Slurm says in the environment of a job; raises KeyError outside of one."""
        restarts = int(environ.get("SLURM_RESTART_COUNT") or 0)
        return cls(environ["SLURM_JOB_ID"], restarts, int(since), log)

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Read what ``str`` wrote; None for anything else."""
        found = _is_owner(text)
        if found is None:
            return None
        log = Path(found[4]) if found[4] else None
        return cls(found[1], int(found[2]), int(found[3]), log)

    def __str__(self) -> str:
        """Return it in one line, as ``17+0@1764280000 /store/.../out/17_3.log``."""
        return f"{self.job}+{self.restarts}@{self.since}{f' {self.log}' if self.log else ''}"
