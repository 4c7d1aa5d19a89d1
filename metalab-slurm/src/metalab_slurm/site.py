"""What a cluster allows and how it is set up, as far as submitting and watching need it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Site"]

_MOST_IDS = 1001
_is_setting = re.compile(r"(\w+)\s*= (.*)").fullmatch
_is_count = re.compile(r"(\d+)(?: sec)?").fullmatch


@attrs.frozen
class Site:
    """A cluster's settings; the defaults are Slurm's own. Times are in seconds.

    ``max_array_size`` is the most tasks of one array, ``min_job_age`` how long Slurm still
    knows a job that ended, ``kill_wait`` the time between SIGTERM and SIGKILL.
    """

    cluster: str = ""
    max_array_size: int = _MOST_IDS
    min_job_age: int = 300
    kill_wait: int = 30
    job_requeue: bool = True
    has_accounting: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Describe the settings as strict JSON."""
        return attrs.asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(**document)

    @classmethod
    def of(cls, text: str) -> Site:
        """Read what ``scontrol show config`` prints; what is missing there has its default."""
        found = (_is_setting(line.strip()) for line in text.splitlines())
        settings = {each[1]: each[2].strip() for each in found if each}
        default = cls()
        return cls(
            cluster=settings.get("ClusterName", ""),
            max_array_size=_count(settings, "MaxArraySize", default.max_array_size),
            min_job_age=_count(settings, "MinJobAge", default.min_job_age),
            kill_wait=_count(settings, "KillWait", default.kill_wait),
            job_requeue=_count(settings, "JobRequeue", 1) != 0,
            has_accounting=settings.get("AccountingStorageType", "").endswith("/slurmdbd"),
        )


def _count(settings: dict[str, str], name: str, default: int) -> int:
    found = _is_count(settings.get(name, ""))
    return int(found[1]) if found else default
