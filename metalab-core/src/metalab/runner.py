"""Running: wire a plan, a store and an executor together, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import PluginError
from metalab.execution.base import Batch, Executor, Submission
from metalab.execution.departure import keep_open, release
from metalab.execution.handle import RunHandle
from metalab.execution.ledger import Ledger
from metalab.execution.policy import FailurePolicy, Limits, Retry
from metalab.launch import describe_launch, new_launch
from metalab.place import Place
from metalab.planning import Plan, check_experiment, make_plan
from metalab.plugins import EXECUTORS
from metalab.progress import LaunchView, create_progress_tracker
from metalab.results.derived import as_derived_metrics, lacking
from metalab.results.loading import open_results
from metalab.resume import (
    CodeChangePolicy,
    Remainder,
    check_policy,
    remainder,
    settle_code_change,
)
from metalab.standing import remember

if TYPE_CHECKING:
    import os

    from metalab.events import EventCallback
    from metalab.experiment import Experiment
    from metalab.progress import Progress, ProgressTracker
    from metalab.results import Results
    from metalab.store.base import Store
    from metalab.store.config import StoreConfig

__all__ = ["load_results", "run"]


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
    _check_options(resume, on_event)
    check_policy(on_code_change)
    failures, retries = FailurePolicy(on_failure), Retry.of(retry)
    limits = Limits(timeout, memory)
    pool = _executor(executor)
    pool.check(limits)
    metrics = as_derived_metrics(derived_metrics)
    # Without a tracker and a callback no event need be made.
    tracker = None if progress is False else create_progress_tracker(progress)
    place = Place.of(store, experiment.experiment_id)
    plan = make_plan(experiment)
    manifest = plan.manifest()

    found = place.find()
    log = found.read() if found is not None else None
    left = remainder(plan, log, resume=resume)
    left = settle_code_change(plan, left, log, found, on_code_change)
    underived = lacking(log, plan.ids, left.done, metrics) if log is not None else ()

    launch = new_launch()
    if found is not None and not left.pending and not underived:
        ledger = _open_ledger(plan, left, tracker, on_event)
        ledger.finish()
        return RunHandle(plan, found, launch, ledger, None, on_event)
    pool.admit(plan, metrics, retries, limits)
    target = place.make()
    ledger = _open_ledger(plan, left, tracker, on_event)
    batch = Batch(
        plan=plan,
        pending=left.pending,
        tries=left.tries,
        store=target,
        launch=launch,
        manifest=target.put_manifest(manifest),
        ledger=ledger,
        failures=failures,
        retry=retries,
        limits=limits,
        derived_metrics=metrics,
        underived=underived,
        log=log,
        started=left.started,
    )
    target.put_launch(launch, _launch_document(batch, left, pool))
    return RunHandle(plan, target, launch, ledger, _submit(pool, batch), on_event)


def load_results(
    store: str | os.PathLike[str] | StoreConfig | Store, experiment_id: str | None = None
) -> Results:
    """Read the results of an experiment, from its own folder or from a collection's root.

    A collection that holds several experiments needs ``experiment_id``; the error lists
    them. Raises StoreNotFoundError where there is no store; nothing is ever written.
    """
    return open_results(store, experiment_id)


def _check_options(resume: object, on_event: object) -> None:
    if not isinstance(resume, bool):
        raise TypeError(f"resume={resume!r} is neither True nor False")
    if on_event is not None and not callable(on_event):
        raise TypeError(f"on_event={on_event!r} is no function of an event")


def _executor(executor: str | Mapping[str, Any] | Executor | None) -> Executor:
    if executor is None:
        return _made("thread", {"max_workers": 1})
    if isinstance(executor, Executor):
        return executor
    if isinstance(executor, str):
        return _made(executor, {})
    if isinstance(executor, Mapping) and len(executor) == 1:
        ((name, options),) = executor.items()
        if isinstance(name, str):
            return _made(name, options)
    raise TypeError(
        f"executor={executor!r} names no executor; give a name ({_names()}), "
        "{'name': {options}}, or an Executor such as metalab.ThreadExecutor(4)"
    )


def _made(name: str, options: Mapping[str, Any] | None) -> Executor:
    options = {} if options is None else options
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise TypeError(f"the options of executor {name!r} are a dict by name, not {options!r}")
    made: Executor | None = EXECUTORS[name].metalab_make_executor(name=name, options=options)
    if made is None:
        raise PluginError(
            f"{EXECUTORS.info(name)} declines to make an executor from the options {dict(options)}"
        )
    return made


def _names() -> str:
    return ", ".join(repr(info.name) for info in EXECUTORS.installed())


def _open_ledger(
    plan: Plan,
    left: Remainder,
    tracker: ProgressTracker | None,
    on_event: EventCallback | None,
) -> Ledger:
    ledger = Ledger(len(plan), left.done)
    if tracker is not None:
        kinds = tracker.follow(LaunchView(ledger.counts, ledger.under_way, plan))
        tracker.start(len(plan), len(left.done), plan.experiment_id)
        ledger.listen(tracker, kinds)
        ledger.when_finished(tracker.finish)
    if on_event is not None:
        ledger.listen(on_event)
        ledger.skipped(plan.ids[index] for index in left.done)
    return ledger


def _launch_document(batch: Batch, left: Remainder, executor: Executor) -> dict[str, Any]:
    return describe_launch(
        manifest=batch.manifest,
        executor=executor.name,
        runs=len(batch.plan),
        pending=len(left.pending),
        done=len(left.done),
        policy={
            "on_failure": batch.failures.limit,
            "retry": batch.retry.to_dict(),
            **attrs.asdict(batch.limits),
        },
    )


def _submit(executor: Executor, batch: Batch) -> Submission:
    try:
        submission = executor.submit(batch)
    except BaseException:
        batch.ledger.finish()
        raise
    keep_open(submission)
    plan = batch.plan
    batch.ledger.when_finished(lambda: remember(plan.experiment.operation, plan.standing))
    batch.ledger.when_finished(lambda: release(submission))
    return submission
