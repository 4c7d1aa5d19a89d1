"""Reattaching: handles on launches that go on by themselves, whichever process began them."""

from __future__ import annotations

import warnings
from array import array
from contextlib import suppress
from typing import TYPE_CHECKING

from metalab.errors import CodeChangedWarning, MetalabError, StoreError, StoreWarning
from metalab.execution.choice import chosen_executor
from metalab.execution.dispatch import Dispatch
from metalab.execution.handle import RunHandle
from metalab.execution.ledger import Ledger
from metalab.execution.news import is_news, is_tried_again
from metalab.progress import LaunchView
from metalab.records import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from metalab.events import EventCallback
    from metalab.execution.base import Executor
    from metalab.planning import Plan
    from metalab.progress import ProgressTracker
    from metalab.results.derived import DerivedMetric
    from metalab.resume import Remainder
    from metalab.store.base import RunLog, Store

__all__ = [
    "dispatches",
    "newest_dispatch",
    "open_ledger",
    "reattached",
    "tell_of_code",
    "under_way",
]


def open_ledger(
    plan: Plan,
    pending: int,
    done: Sequence[int],
    tracker: ProgressTracker | None,
    on_event: EventCallback | None,
) -> Ledger:
    """Return a new ledger of a launch, with those who listen; the skipped runs are told of."""
    total = pending + len(done)
    ledger = Ledger(total, done)
    if tracker is not None:
        kinds = tracker.follow(LaunchView(ledger.counts, ledger.under_way, plan))
        tracker.start(total, len(done), plan.experiment_id)
        ledger.listen(tracker, kinds)
        ledger.when_finished(tracker.finish)
    if on_event is not None:
        ledger.listen(on_event)
        ledger.skipped(plan.ids[index] for index in done)
    return ledger


def dispatches(store: Store) -> Iterator[Dispatch]:
    """Yield what was kept for workers that begin later, the newest launch first.

    What cannot be read is left out, with a StoreWarning.
    """
    for launch, document in reversed(store.launches().items()):
        if document.get("is_detached"):
            try:
                yield Dispatch.of(store.launch_folder(launch))
            except FileNotFoundError:  # its launch ended before it was kept whole
                continue
            except StoreError as error:
                text = f"launch {launch} of {store.experiment_id} is left out: {error}"
                warnings.warn(text, StoreWarning, stacklevel=2)


def newest_dispatch(store: Store, launch: str | None) -> Dispatch:
    """Return the dispatch of a launch, or of the newest that has one.

    Raises MetalabError, saying what there is, where there is none; StoreError if the one that
    was named cannot be read.
    """
    launches = store.launches()
    if launch is None:
        for newest in dispatches(store):
            return newest
    elif launches.get(launch, {}).get("is_detached"):
        with suppress(FileNotFoundError):  # as above
            return Dispatch.of(store.launch_folder(launch))
    if launch is not None and launch not in launches:
        known = ", ".join(launches) or "none"
        raise MetalabError(f"{store.locator} has no launch {launch!r}; there are {known}")
    last = launches.get(launch or next(reversed(launches), ""), {})
    how = f"was executed by {last.get('executor')!r}" if last else "was never launched"
    raise MetalabError(
        f"{store.experiment_id} {how}, and nothing of it goes on by itself: metalab.load_results "
        "reads its results, metalab watch follows it, metalab.run executes what is left"
    )


def under_way(
    store: Store,
    executor: Executor,
    plan: Plan,
    left: Remainder,
    log: RunLog,
    *,
    metrics: Sequence[DerivedMetric] = (),
    underived: Sequence[int] = (),
) -> Dispatch | None:
    """Return what already executes all that is left of a plan, by itself, if anything does.

    ``log`` is what was stored when it was seen what is left. With ``metrics`` it computes these
    as well, also of the runs that are ``underived``.
    """
    for each in dispatches(store):
        if (
            (each.executor, each.digest) == (executor.name, plan.digest)
            and _derives(each, metrics, underived)
            and _covers(each, left, log)
            and executor.is_under_way(each)
        ):
            return each
    return None


def tell_of_code(dispatch: Dispatch, store: Store, plan: Plan) -> None:
    """Warn where what goes on by itself was submitted with other code than the plan has now."""
    if dispatch.plan(store, may_open=False).code.hash != plan.code.hash:
        warnings.warn(
            f"launch {dispatch.launch} of {plan.experiment_id} is under way with other code; its "
            "results are taken. To execute the new code instead, end it with metalab cancel and "
            "run again",
            CodeChangedWarning,
            stacklevel=4,
        )


def _derives(
    dispatch: Dispatch, metrics: Sequence[DerivedMetric], underived: Sequence[int]
) -> bool:
    """Tell whether metrics are computed there, by the same code, of all runs that lack them."""
    known = {(metric.name, metric.code) for metric in dispatch.metrics}
    if not known.issuperset((metric.name, metric.code) for metric in metrics):
        return False
    return not underived or {*dispatch.pending, *dispatch.underived}.issuperset(underived)


def _covers(dispatch: Dispatch, left: Remainder, log: RunLog) -> bool:
    """Tell whether all that is left was asked for then, and is not done with there."""
    known = dispatch.tries
    anew = any(epoch > known.get(run_id, (0, 1))[0] for run_id, (epoch, _) in left.tries.items())
    if anew or not set(left.pending) <= set(dispatch.pending):
        return False
    # Its workers may still be on their way out, and will not try again what they gave up.
    return all(map(is_tried_again, log.lines(_failed(dispatch, left, log))))


def _failed(dispatch: Dispatch, left: Remainder, log: RunLog) -> Iterator[str]:
    """Yield the ids of those runs that have failed since a batch was kept."""
    for run_id, state in zip(left.tries, log.states(left.tries), strict=True):
        if (
            state is not None
            and state.status is Status.FAILED
            and is_news(dispatch, run_id, state.status, state.epoch, state.attempt)
        ):
            yield run_id


def reattached(
    dispatch: Dispatch,
    store: Store,
    executor: Executor | None,
    tracker: ProgressTracker | None,
    on_event: EventCallback | None,
    plan: Plan | None = None,
) -> RunHandle:
    """Return a handle on what was kept; without a plan nothing of the user's code is loaded."""
    executor = executor or chosen_executor(dispatch.executor)
    shown = plan if plan is not None else dispatch.plan(store, may_open=False)
    pending = set(dispatch.pending)
    done = array("Q", (index for index in range(dispatch.runs) if index not in pending))
    ledger = open_ledger(shown, len(pending), done, tracker, on_event)
    batch = dispatch.batch(store, ledger)
    try:
        submission = executor.reattach(dispatch, batch)
    except BaseException:  # whatever it is: who follows the launch is told that it is over
        ledger.finish()
        raise
    kind = executor.handle_type or RunHandle
    return kind(shown, store, dispatch.launch, ledger, submission, on_event)
