"""The Slurm executor: jobs called pilots, which execute the runs of an experiment together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from metalab.errors import MetalabError
from metalab.execution.base import Executor
from metalab.execution.payload import packed
from metalab.store.causes import Cause
from metalab.store.claiming import Ending
from metalab_slurm.cluster import Cluster
from metalab_slurm.commands import Commands, SlurmError
from metalab_slurm.config import SlurmConfig
from metalab_slurm.escalation import Escalation, SlurmRetry
from metalab_slurm.handle import SlurmRunHandle
from metalab_slurm.launch import SlurmLaunch
from metalab_slurm.owner import Owner
from metalab_slurm.submission import SlurmSubmission
from metalab_slurm.undertaking import ending_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from metalab.execution.base import Batch, Submission
    from metalab.execution.dispatch import Dispatch
    from metalab.execution.policy import Limits, Retry
    from metalab.planning import Plan
    from metalab.results.derived import DerivedMetric

__all__ = ["SlurmExecutor"]

_PATIENCE = 5.0  # seconds for which a command that only looks around may wait


class SlurmExecutor(Executor):
    """Executes runs in jobs of a Slurm cluster that share the store with this process.

    Submitting returns at once, and the jobs go on when this process ends;
    ``metalab.reconnect(store)`` follows them from another one. Takes a SlurmConfig, or its
    fields by name. Raises ValueError and TypeError as that does.
    """

    name = "slurm"
    can_kill = True
    is_detached = True
    handle_type = SlurmRunHandle
    jobs_option = "max_concurrent"

    @classmethod
    def readiness(cls) -> tuple[bool, str]:
        """Tell whether Slurm's commands are here, and its controller answers within seconds."""
        return Cluster(Commands(timeout=_PATIENCE)).readiness()

    def __init__(self, config: SlurmConfig | None = None, **options: Any) -> None:
        if config is not None and not isinstance(config, SlurmConfig):
            raise TypeError(f"SlurmExecutor takes a SlurmConfig, not {config!r}")
        if config is not None and options:
            raise TypeError("give SlurmExecutor a SlurmConfig or its fields, not both")
        self.config = SlurmConfig.from_dict(options) if config is None else config
        self.cluster = Cluster()
        self._closed = False
        self._payloads: WeakKeyDictionary[Plan, bytes] = WeakKeyDictionary()
        self._submissions: list[SlurmSubmission] = []

    def admit(
        self, plan: Plan, metrics: Sequence[DerivedMetric], retry: Retry, limits: Limits
    ) -> None:
        """Refuse what cannot be sent to jobs, or a machine that cannot submit any."""
        if not self.cluster.is_there():
            raise MetalabError(
                "this machine has no sbatch, so executor='slurm' cannot submit from it; run the "
                "script on a login node of the cluster, or use executor='process' here"
            )
        self._payloads[plan] = packed(plan, metrics, retry, limits)

    def submit(self, batch: Batch) -> Submission:
        """Keep the batch in the store, submit the jobs, and return."""
        if self._closed:
            raise RuntimeError("this SlurmExecutor was shut down; make a new one")
        payload = self._payloads.pop(batch.plan, None)
        if payload is None:
            payload = packed(batch.plan, batch.derived_metrics, batch.retry, batch.limits)
        retry = batch.retry
        rules = Escalation.of(retry) if isinstance(retry, SlurmRetry) else Escalation()
        launch = SlurmLaunch.keep(batch, payload, self.config, rules, self.cluster)
        launch.place(len(batch.pending) + len(batch.underived))
        return self._followed(launch, batch)

    def reattach(self, dispatch: Dispatch, batch: Batch) -> Submission:
        """Follow jobs that any process has submitted."""
        return self._followed(SlurmLaunch.of(dispatch, self.cluster), batch)

    def _followed(self, launch: SlurmLaunch, batch: Batch) -> SlurmSubmission:
        submission = SlurmSubmission(launch, batch)
        self._submissions = [each for each in self._submissions if not each.is_done()]
        self._submissions.append(submission)
        return submission

    def is_under_way(self, dispatch: Dispatch) -> bool | None:
        """Tell whether jobs of the launch are in the queue; None where that cannot be asked."""
        return SlurmLaunch.of(dispatch, self.cluster).is_under_way()

    def describe(self, dispatch: Dispatch) -> Mapping[str, Any]:
        """Say what the queue and the launch's folder tell of its jobs."""
        return SlurmLaunch.of(dispatch, self.cluster).describe()

    def cancel(self, dispatch: Dispatch) -> None:
        """End all jobs of the launch; raises MetalabError where Slurm does not answer."""
        launch = SlurmLaunch.of(dispatch, self.cluster)
        try:
            launch.cancel()
        except SlurmError as error:
            raise MetalabError(
                f"Slurm cannot be asked to end the jobs ({str(error).splitlines()[0]}); those that "
                f"run find the note in {launch.folder} and end by themselves, and those that wait "
                "do nothing once they start"
            ) from error

    def outputs(self, dispatch: Dispatch) -> Sequence[Path]:
        """Return what the jobs of the launch have printed, the newest last."""
        return SlurmLaunch.of(dispatch, self.cluster).outputs()

    def alive(self, owner: str) -> bool | None:
        """Tell whether a pilot, and with it the job that it was, still runs."""
        known = Owner.parse(owner)
        return None if known is None else self.cluster.alive(known.job, known.restarts)

    def ending(self, owner: str) -> Ending:
        """Say how a pilot that is not alive ended, as far as Slurm and its output tell."""
        known = Owner.parse(owner)
        return Ending(Cause.GONE) if known is None else ending_of(self.cluster, known)

    def shutdown(self, *, wait: bool = True) -> None:
        """Take no further batch; with ``wait``, return once the jobs given are over."""
        self._closed = True
        for submission in self._submissions if wait else ():
            submission.wait()
