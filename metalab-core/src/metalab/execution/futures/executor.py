"""The futures executor: runs in any pool that is a ``concurrent.futures.Executor``."""

from __future__ import annotations

from concurrent.futures import Executor as Pool, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from metalab.errors import MetalabError
from metalab.execution.base import Executor, Submission
from metalab.execution.cpus import worker_count
from metalab.execution.departure import come_first
from metalab.execution.futures.submission import FuturesSubmission
from metalab.execution.parcel import keep_parcel
from metalab.execution.payload import packed
from metalab.hookspecs import hookimpl
from metalab.transport import Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metalab.execution.base import Batch
    from metalab.execution.policy import Limits, Retry
    from metalab.planning import Plan
    from metalab.results.derived import DerivedMetric

__all__ = ["FuturesExecutor", "metalab_executor_class", "metalab_make_executor"]


class FuturesExecutor(Executor):
    """Executes runs in a pool of another engine, which stays its maker's to shut down.

    ``pool`` is any ``concurrent.futures.Executor``, of processes that see the store's folder
    and have metalab; ``workers`` how many chunks of runs are kept at work in it: by default as
    many as the pool says it has, else one for each CPU that this process may use. Raises
    TypeError for what is no pool, ValueError for fewer than one worker.
    """

    name = "futures"
    jobs_option = "workers"

    def __init__(self, pool: Pool, *, workers: int | None = None) -> None:
        if not isinstance(pool, Pool):
            raise TypeError(
                f"pool={pool!r} is no concurrent.futures.Executor; many engines make one: "
                "dask's client.get_executor(), mpi4py.futures.MPIPoolExecutor, "
                "parsl.concurrent.ParslPoolExecutor, loky.get_reusable_executor()"
            )
        # At the end of a script launches are waited for before the pool they need is shut down.
        come_first()
        self.pool = pool
        self.workers = worker_count(_size_of(pool) if workers is None else workers)
        self._closed = False
        # Between admit and submit; a launch that is refused in between drops its plan.
        self._payloads: WeakKeyDictionary[Plan, bytes] = WeakKeyDictionary()
        self._submissions: list[FuturesSubmission] = []

    def admit(
        self, plan: Plan, metrics: Sequence[DerivedMetric], retry: Retry, limits: Limits
    ) -> None:
        """Refuse what cannot be sent to other processes; raises PayloadError."""
        if not self._is_here:
            self._payloads[plan] = packed(plan, metrics, retry, limits)

    def submit(self, batch: Batch) -> Submission:
        """Begin to execute the batch in the pool; its plan is kept in the store for that."""
        if self._closed:
            raise RuntimeError("this FuturesExecutor was shut down; make a new one of the pool")
        payload = None if self._is_here else self._kept(batch)
        submission = FuturesSubmission(batch, self.pool, self.workers, self.name, payload)
        self._submissions = [each for each in self._submissions if not each.is_done()]
        self._submissions.append(submission)
        return submission

    def shutdown(self, *, wait: bool = True) -> None:
        """Take no further batch; with ``wait``, return once those given are over."""
        self._closed = True
        for submission in self._submissions if wait else ():
            submission.wait()

    @property
    def _is_here(self) -> bool:
        """Whether the pool is known to call in this process."""
        return isinstance(self.pool, ThreadPoolExecutor)

    def _kept(self, batch: Batch) -> str:
        plan = self._payloads.pop(batch.plan, None)
        if plan is None:
            plan = packed(batch.plan, batch.derived_metrics, batch.retry, batch.limits)
        return keep_parcel(batch.store, plan, Surroundings.here(), batch.plan.ids)


def _size_of(pool: Pool) -> int | None:
    size = getattr(pool, "_max_workers", None)  # of the standard library's, and its kin
    return size if isinstance(size, int) and size > 0 else None


@hookimpl
def metalab_make_executor(options: Mapping[str, Any]) -> Executor:
    """Make the executor that ``executor={"futures": {"pool": pool}}`` names."""
    if "pool" not in options:
        raise MetalabError(
            "executor='futures' needs a pool: give metalab.FuturesExecutor(pool), where pool is "
            "any concurrent.futures.Executor"
        )
    return FuturesExecutor(**options)


@hookimpl
def metalab_executor_class() -> type[Executor]:
    """Return the class that it makes."""
    return FuturesExecutor
