"""The Slurm executor of metalab: submit a sweep to a cluster, and walk away."""

from __future__ import annotations

from metalab_slurm.config import SlurmConfig
from metalab_slurm.escalation import SlurmRetry
from metalab_slurm.executor import SlurmExecutor
from metalab_slurm.handle import SlurmRunHandle

__all__ = ["SlurmConfig", "SlurmExecutor", "SlurmRetry", "SlurmRunHandle"]
