"""The handle of a launch on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.errors import MetalabError
from metalab.execution.handle import RunHandle
from metalab_slurm.hindrance import hindrance
from metalab_slurm.submission import SlurmSubmission

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SlurmRunHandle"]


class SlurmRunHandle(RunHandle):
    """Watches a launch on a cluster, from the process that began it or from any other.

    The launch goes on when this process ends, and while nobody watches.
    """

    @property
    def job_ids(self) -> list[str]:
        """The numbers of the Slurm arrays that were submitted, the oldest first."""
        if self._slurm is None:
            return []
        launch = self._slurm.launch
        return launch.journal.job_ids(launch.name)

    @property
    def folder(self) -> Path | None:
        """Where the scripts and the output of the jobs are; None if none was needed."""
        return None if self._slurm is None else self._slurm.launch.folder

    def describe(self) -> dict[str, Any]:
        """Say how the jobs stand, as strict JSON; ``words`` are lines for people."""
        if self._slurm is None:
            return {"words": ["nothing was left to execute, so no job was submitted"]}
        return self._slurm.launch.describe()

    def resubmit(self) -> None:
        """Submit jobs for what is left, such as after the launch was cancelled; returns at once.

        Raises MetalabError if nothing is left, if this handle has ended (reconnect first), or if
        the store is a copy, another user's, or not to be written to.
        """
        slurm = None if self.is_complete else self._slurm
        if slurm is not None and (words := hindrance(slurm.launch)):
            raise MetalabError(f"no job can be submitted from here. {words}")
        if slurm is None or not slurm.resubmit():
            raise MetalabError(
                "this handle has ended; metalab.reconnect(store).resubmit() goes on with what is "
                "left, and so does metalab.run"
            )

    @property
    def _slurm(self) -> SlurmSubmission | None:
        return self._submission if isinstance(self._submission, SlurmSubmission) else None
