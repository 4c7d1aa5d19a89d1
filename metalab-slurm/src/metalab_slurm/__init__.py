"""The Slurm executor of metalab: submit a sweep to a cluster, and walk away.

Each name is imported from its module when it is first asked for: a pilot needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metalab_slurm.config import SlurmConfig
    from metalab_slurm.escalation import SlurmRetry
    from metalab_slurm.executor import SlurmExecutor
    from metalab_slurm.handle import SlurmRunHandle

__all__ = ["SlurmConfig", "SlurmExecutor", "SlurmRetry", "SlurmRunHandle"]

_HOMES = {
    "SlurmConfig": "metalab_slurm.config",
    "SlurmExecutor": "metalab_slurm.executor",
    "SlurmRetry": "metalab_slurm.escalation",
    "SlurmRunHandle": "metalab_slurm.handle",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'metalab_slurm' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
