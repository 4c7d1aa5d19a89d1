"""Running: wire a plan, a store and an executor together, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.execution.departure import announce
from metalab.execution.policy import Limits, Retry
from metalab.order import Order
from metalab.place import Place
from metalab.planning import check_experiment, make_plan
from metalab.progress import create_progress_tracker
from metalab.reattaching import newest_dispatch, reattached
from metalab.results.loading import open_experiment, open_results
from metalab.resume import (
    CodeChangePolicy,
    check_policy,
    remainder,
    settle_code_change,
)
from metalab.retrying.choice import Choice
from metalab.retrying.origin import Origin
from metalab.retrying.rebuilding import plan_again
from metalab.script import reach_launch

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from metalab.events import EventCallback
    from metalab.execution.base import Executor
    from metalab.execution.handle import RunHandle
    from metalab.experiment import Experiment
    from metalab.progress import Progress, ProgressTracker
    from metalab.results import Results
    from metalab.store.base import Store
    from metalab.store.config import StoreConfig
    from metalab.store.query.expression import Expression

__all__ = ["load_results", "reconnect", "retry", "run"]


def run(
    experiment: Experiment,
    store: str | os.PathLike[str] | StoreConfig | Store | None = None,
    executor: str | Mapping[str, Any] | Executor | None = None,
    resume: bool = True,
    progress: bool | Progress | ProgressTracker | None = None,
    on_event: EventCallback | None = None,
    derived_metrics: Sequence[Callable[..., Any] | str] | None = None,
    *,
    on_code_change: CodeChangePolicy = "ask",
    on_failure: str | int = "continue",
    retry: Retry | int | None = None,
    timeout: float | None = None,
    memory: str | int | None = None,
) -> RunHandle:
    """Execute the runs of an experiment that have no success stored, and return a handle at once.

    ``store`` is a collection's root (default ``./experiments``); the experiment has its own
    folder in it. ``executor`` is a name, a dict of a name and its options, or an Executor;
    by default runs are executed one at a time in the background. ``resume=False`` executes
    every run again. ``progress`` shows itself on a terminal unless False. ``on_event`` is
    called with each event. ``derived_metrics`` are functions of a run (or
    ``"module:function"``) whose values are stored beside it.

    ``on_code_change`` says what to do about stored results of other code: ``"ask"``
    executes them again if they took under a minute and raises CodeChangedError otherwise;
    ``"rerun"``, ``"keep"``, ``"warn"`` and ``"error"`` decide. ``on_failure`` is
    ``"continue"``, ``"stop"`` or a number of failed runs after which no more are taken.
    ``retry`` is a Retry, or how many attempts a run that fails gets in all. A run may take
    ``timeout`` seconds and ``memory`` bytes (or ``"4G"``), where the executor can end it.

    What is wrong with the arguments is raised here, before anything is written.
    """
    check_experiment(experiment, "run")
    _check_resume(resume)
    reach_launch()
    check_policy(on_code_change)
    order = Order(
        executor=executor,
        tracker=progress,
        on_event=on_event,
        failures=on_failure,
        retries=Retry.of(retry),
        limits=Limits(timeout, memory),
        metrics=derived_metrics,
    )
    place = Place.of(store, experiment.experiment_id)
    plan = make_plan(experiment)

    found = place.find()
    log = found.read() if found is not None else None
    left = remainder(plan, log, resume=resume)
    left = settle_code_change(plan, left, log, found, on_code_change)
    return _announced(order.launch(plan, left, place, found, log), progress)


def retry(
    store: str | os.PathLike[str] | StoreConfig | Store,
    experiment_id: str | None = None,
    *,
    where: str | Expression | None = None,
    run_ids: Iterable[str] | None = None,
    executor: str | Mapping[str, Any] | Executor | None = None,
    progress: bool | Progress | ProgressTracker | None = None,
    on_event: EventCallback | None = None,
    on_code_change: CodeChangePolicy = "ask",
    on_failure: str | int = "continue",
    retry: Retry | int | None = None,
    timeout: float | None = None,
    memory: str | int | None = None,
) -> RunHandle:
    """Execute stored runs again that have no success, and return a handle at once.

    These are the runs of the experiment's newest plan that have failed, were cancelled or
    are lost, and those under way elsewhere, which are waited for. ``where`` leaves those for
    which a filter holds, as ``"error ~= 'memory'"``; ``run_ids`` those whose ids are listed,
    in full or by what they alone begin with. Runs that never began are left to ``run``.
    A collection of several experiments needs ``experiment_id``.

    The experiment is made again from the store and from the user's files: the script that
    launched it is loaded up to its first launch, or the operation's module is imported. An
    experiment that the files have at their top level is taken if it has the same runs.
    The other arguments are those of ``run``, and nothing of them is taken over from the
    launch before; ``on_code_change`` is about the stored results of the whole plan, if any
    run is left to execute.

    ``handle.result()`` returns the results of the whole plan. ``handle.status`` counts the
    runs that are executed again, and as skipped all of the plan that have succeeded.

    Raises StoreNotFoundError and StoreError as ``load_results`` does, QueryError for a
    filter, NameLookupError for an id, and RebuildError, before anything is written, if the
    experiment cannot be made again with the ids that are stored.
    """
    reach_launch()
    check_policy(on_code_change)
    order = Order(
        executor=executor,
        tracker=progress,
        on_event=on_event,
        failures=on_failure,
        retries=Retry.of(retry),
        limits=Limits(timeout, memory),
        is_retry=True,
    )
    found = open_experiment(store, experiment_id, "retry")
    origin = Origin.of(found)
    log = found.read()
    choice = Choice.of(found, log, where, run_ids)
    plan = plan_again(origin)
    left = choice.narrowed(remainder(plan, log), plan)
    if left.pending:
        left = settle_code_change(plan, left, log, found, on_code_change)
    place = Place.of(found, plan.experiment_id)
    return _announced(order.launch(plan, left, place, found, log), progress)


def reconnect(
    store: str | os.PathLike[str] | StoreConfig | Store,
    experiment_id: str | None = None,
    *,
    launch: str | None = None,
    progress: bool | Progress | ProgressTracker | None = None,
    on_event: EventCallback | None = None,
) -> RunHandle:
    """Return a handle on a launch that goes on by itself, such as one on a cluster.

    The store alone is needed: the process that began the launch may be gone, and the user's
    files need not be here. ``launch`` names it, as ``handle.job_id`` does; by default it is
    the experiment's newest. A collection of several experiments needs ``experiment_id``.

    Raises StoreNotFoundError and StoreError as ``load_results`` does, and MetalabError if no
    launch goes on by itself.
    """
    tracker = None if progress is False else create_progress_tracker(progress)
    found = open_experiment(store, experiment_id, "reconnect")
    return reattached(newest_dispatch(found, launch), found, None, tracker, on_event)


def load_results(
    store: str | os.PathLike[str] | StoreConfig | Store, experiment_id: str | None = None
) -> Results:
    """Read the results of an experiment, from its own folder or from a collection's root.

    A collection that holds several experiments needs ``experiment_id``; the error lists
    them. Raises StoreNotFoundError where there is no store; nothing is ever written.
    """
    return open_results(store, experiment_id)


def _announced(handle: RunHandle, progress: object) -> RunHandle:
    if progress is not False and (words := handle.announcement()) is not None:
        announce(words)
    return handle


def _check_resume(resume: object) -> None:
    if not isinstance(resume, bool):
        raise TypeError(f"resume={resume!r} is neither True nor False")
