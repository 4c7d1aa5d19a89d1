"""Environment variables that tell what a result may depend on; never one that may be a secret."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from metalab.surroundings.masking import hints_at_secret, masked

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAMES", "PREFIXES", "SUFFIXES", "telling_variables"]

NAMES = frozenset(
    [
        "CONDA_DEFAULT_ENV",
        "CONDA_PREFIX",
        "CUDA_DEVICE_ORDER",
        "CUDA_LAUNCH_BLOCKING",
        "CUDA_VISIBLE_DEVICES",
        "GPU_DEVICE_ORDINAL",
        "HIP_VISIBLE_DEVICES",
        "LANG",
        "LC_ALL",
        "LD_PRELOAD",
        "NVIDIA_VISIBLE_DEVICES",
        "PYTHONHASHSEED",
        "PYTHONOPTIMIZE",
        "PYTHONPATH",
        "ROCR_VISIBLE_DEVICES",
        "TF_DETERMINISTIC_OPS",
        "TZ",
        "VIRTUAL_ENV",
    ]
)
"""Variables that are kept."""

PREFIXES = ("CUBLAS_", "CUDNN_", "JAX_", "KMP_", "METALAB_", "OMP_", "PYTORCH_", "SLURM_", "XLA_")
"""What the names of others that are kept begin with."""

SUFFIXES = ("_NUM_THREADS",)
"""What the names of others that are kept end with."""

_LONGEST = 4096


def telling_variables(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that are kept, by name, sorted.

    One whose name hints at a secret is left out, passwords in addresses are masked, and
    values of more than 4,096 characters are cut.
    """
    return {
        name: masked(value[:_LONGEST]).encode("utf-8", "backslashreplace").decode()
        for name, value in sorted(variables.items())
        if _is_telling(name) and not hints_at_secret(name)
    }


def _is_telling(name: str) -> bool:
    return name in NAMES or name.startswith(PREFIXES) or name.endswith(SUFFIXES)
