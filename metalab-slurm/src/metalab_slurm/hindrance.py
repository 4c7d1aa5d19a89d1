"""Hindrances: why a process that finds a launch must not submit jobs of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from metalab.errors import StoreError

if TYPE_CHECKING:
    from metalab_slurm.launch import SlurmLaunch

__all__ = ["hindrance"]


def hindrance(launch: SlurmLaunch) -> str | None:
    """Say why this process cannot submit jobs of a launch; None where it can."""
    folder = launch.dispatch.folder
    owner, user = folder.stat().st_uid, os.geteuid()
    if owner != user:
        return (
            f"The user {owner} has launched it, and this process is the user {user}'s: what "
            "another user wrote is not executed. metalab.run executes what is left in a store "
            "of your own"
        )
    if not os.access(launch.folder, os.W_OK):
        return f"Its jobs would write to {folder}, which cannot be written to"
    if not _is_original(launch):
        return (
            f"{folder} is a copy, and its jobs would write where it was copied from; metalab.run "
            "executes what is left"
        )
    return None


def _is_original(launch: SlurmLaunch) -> bool:
    dispatch = launch.dispatch
    try:
        home = dispatch.config.open().launch_folder(dispatch.launch)
        return home.samefile(dispatch.folder)
    except (StoreError, OSError):  # the place that it was launched in has gone
        return False
