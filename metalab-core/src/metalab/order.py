"""Orders: a launch as it was asked for, whatever its runs are, and how it begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from metalab.execution.base import Batch, Executor, Submission
from metalab.execution.choice import chosen_executor
from metalab.execution.departure import keep_open, release
from metalab.execution.handle import RunHandle
from metalab.execution.policy import FailurePolicy, Limits, Retry
from metalab.identity.ownership import module_file
from metalab.launch import describe_launch, new_launch
from metalab.progress import create_progress_tracker
from metalab.reattaching import open_ledger, reattached, tell_of_code, under_way
from metalab.results.derived import as_derived_metrics, lacking
from metalab.standing import remember
from metalab.surroundings import Checkout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.events import EventCallback
    from metalab.execution.ledger import Ledger
    from metalab.place import Place
    from metalab.planning import Plan
    from metalab.progress import Progress, ProgressTracker
    from metalab.results.derived import DerivedMetric
    from metalab.resume import Remainder
    from metalab.store.base import RunLog, Store

__all__ = ["Order"]


def _callback(on_event: EventCallback | None) -> EventCallback | None:
    if on_event is not None and not callable(on_event):
        raise TypeError(f"on_event={on_event!r} is no function of an event")
    return on_event


def _tracker(progress: bool | Progress | ProgressTracker | None) -> ProgressTracker | None:
    # Without a tracker and a callback no event need be made.
    return None if progress is False else create_progress_tracker(progress)


@attrs.frozen(kw_only=True)
class Order:
    """How a launch is to be carried out, made of what a user gave: TypeError and ValueError."""

    on_event: EventCallback | None = attrs.field(converter=_callback)
    failures: FailurePolicy = attrs.field(converter=FailurePolicy)
    retries: Retry
    limits: Limits
    executor: Executor = attrs.field(converter=chosen_executor)
    metrics: Sequence[DerivedMetric] = attrs.field(default=None, converter=as_derived_metrics)
    tracker: ProgressTracker | None = attrs.field(converter=_tracker)
    is_retry: bool = False

    def __attrs_post_init__(self) -> None:
        self.executor.check(self.limits)

    def launch(
        self, plan: Plan, left: Remainder, place: Place, found: Store | None, log: RunLog | None
    ) -> RunHandle:
        """Execute what is left of a plan, and return a handle at once.

        ``found`` and ``log`` are the store and what was in it, None where there is none yet.
        """
        manifest = plan.manifest()
        underived = lacking(log, plan.ids, left.done, self.metrics) if log is not None else ()
        launch = new_launch()
        if found is not None and not left.pending and not underived:
            ledger = self._open_ledger(plan, left)
            ledger.finish()
            return self._handle(plan, found, launch, ledger, None)
        if found is not None and log is not None:
            live = under_way(
                found, self.executor, plan, left, log, metrics=self.metrics, underived=underived
            )
            if live is not None:
                tell_of_code(live, found, plan)
                return reattached(live, found, self.executor, self.tracker, self.on_event, plan)
        checkout = Checkout((None, _folder_of(plan)))
        self.executor.admit(plan, self.metrics, self.retries, self.limits)
        target = place.make()
        ledger = self._open_ledger(plan, left)
        batch = Batch(
            plan=plan,
            pending=left.pending,
            tries=left.tries,
            store=target,
            launch=launch,
            manifest=target.put_manifest(manifest),
            ledger=ledger,
            failures=self.failures,
            retry=self.retries,
            limits=self.limits,
            derived_metrics=self.metrics,
            underived=underived,
            log=log,
            started=left.started,
        )
        document = self._document(batch, left, checkout)
        if (patch := checkout.patch()) is not None:
            target.put_patch(patch)
        target.put_launch(launch, document)
        return self._handle(plan, target, launch, ledger, _submit(self.executor, batch))

    def _handle(
        self,
        plan: Plan,
        store: Store,
        launch: str,
        ledger: Ledger,
        submission: Submission | None,
    ) -> RunHandle:
        kind = self.executor.handle_type or RunHandle
        return kind(plan, store, launch, ledger, submission, self.on_event)

    def _open_ledger(self, plan: Plan, left: Remainder) -> Ledger:
        return open_ledger(plan, len(left.pending), left.done, self.tracker, self.on_event)

    def _document(self, batch: Batch, left: Remainder, checkout: Checkout) -> dict[str, Any]:
        return describe_launch(
            batch.plan.experiment.operation.function.__module__,
            checkout,
            manifest=batch.manifest,
            executor=self.executor.name,
            runs=len(batch.plan),
            pending=len(left.pending),
            done=len(left.done),
            policy={
                "on_failure": batch.failures.limit,
                "retry": batch.retry.to_dict(),
                **attrs.asdict(batch.limits),
            },
            is_retry=self.is_retry,
            is_detached=self.executor.is_detached,
        )


def _folder_of(plan: Plan) -> Path | None:
    """Return where the operation's own code lies, if the current folder is no checkout."""
    file = module_file(plan.experiment.operation.function.__module__)
    folder = None if file is None else Path(file).parent
    return folder if folder is not None and folder.is_dir() else None


def _submit(executor: Executor, batch: Batch) -> Submission:
    try:
        submission = executor.submit(batch)
    except BaseException:  # whatever it is: who follows the launch is told that it is over
        batch.ledger.finish()
        raise
    if not submission.is_detached:
        keep_open(submission)
    plan = batch.plan
    batch.ledger.when_finished(lambda: remember(plan.experiment.operation, plan.standing))
    batch.ledger.when_finished(lambda: release(submission))
    return submission
