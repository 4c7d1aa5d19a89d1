"""What metalab finds under the name ``slurm`` among its executors."""

from __future__ import annotations

from typing import NoReturn

from metalab.hookspecs import hookimpl
from metalab_slurm._placeholders import refuse

__all__ = ["metalab_make_executor"]


@hookimpl
def metalab_make_executor() -> NoReturn:
    """Refuse: this version cannot run anything."""
    refuse()
