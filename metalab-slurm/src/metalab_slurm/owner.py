"""Owners: what a pilot is called in the store, so that anybody can ask Slurm about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Owner"]

_is_owner = re.compile(r"(\d+)\+(\d+)").fullmatch


@attrs.frozen
class Owner:
    """One life of a job: a job that is requeued has the same id, and one restart more."""

    job: str
    restarts: int

    @classmethod
    def here(cls, environ: Mapping[str, str]) -> Owner:
        """Read what Slurm says in the environment of a job; raises KeyError outside of one."""
        return cls(environ["SLURM_JOB_ID"], int(environ.get("SLURM_RESTART_COUNT") or 0))

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Read what ``str`` wrote; None for anything else."""
        found = _is_owner(text)
        return cls(found[1], int(found[2])) if found else None

    def __str__(self) -> str:
        """Return the id of the job and its restarts, as in ``17+0``."""
        return f"{self.job}+{self.restarts}"
