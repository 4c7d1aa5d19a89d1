"""The Slurm executor of metalab; this version reserves its names and runs nothing."""

from __future__ import annotations

from metalab_slurm._placeholders import SlurmConfig, SlurmExecutor, SlurmRunHandle

__all__ = ["SlurmConfig", "SlurmExecutor", "SlurmRunHandle"]
