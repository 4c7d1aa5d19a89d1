"""The same work through metalab's public API, with its defaults."""

from __future__ import annotations

import shutil
from importlib import import_module
from typing import TYPE_CHECKING, Any

import metalab
from benchmarks.work import METRIC, Work, sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab import Capture, SeedBundle


@metalab.operation
def trivial(params: dict[str, Any], seeds: SeedBundle, capture: Capture) -> None:
    """Do nothing that costs anything: what is measured is all that surrounds it."""
    capture.metric(METRIC, seeds.rng().random())


def experiment(runs: int) -> metalab.Experiment:
    """Return the experiment that has so many runs."""
    return metalab.Experiment(
        name="trivial",
        version="1",
        context={},
        operation=trivial,
        params=metalab.grid(**sweep(runs)),
        seeds=metalab.seeds(base=42),
    )


def append(work: Work) -> Callable[[], int]:
    """W1: run everything with the default executor, until all of it is durable."""
    return running(work, experiment(work.runs), None)


def append_inline(work: Work) -> Callable[[], int]:
    """W1 in the caller's thread."""
    return running(work, experiment(work.runs), "inline")


def resume(work: Work) -> Callable[[], int]:
    """W2: run the same experiment again when all is done."""
    imported()

    def phase() -> int:
        handle = metalab.run(experiment(work.runs), store=work.folder)
        handle.wait()
        return handle.status.skipped

    return phase


def frame(work: Work) -> Callable[[], int]:
    """W3: load the results and make a frame of params and metric."""
    return _framing(work, include_record=False)


def whole_frame(work: Work) -> Callable[[], int]:
    """W3 with every column of the record."""
    return _framing(work, include_record=True)


def identify(work: Work) -> Callable[[], int]:
    """W6: plan every run, its id included."""
    from metalab.planning import make_plan

    return lambda: len(make_plan(experiment(work.runs)).ids)


def running(
    work: Work, experiment: metalab.Experiment, executor: metalab.Executor | str | None
) -> Callable[[], int]:
    """Run an experiment until all of it is durable."""
    imported()

    def phase() -> int:
        handle = metalab.run(experiment, store=work.folder, executor=executor)
        handle.wait()
        completed = handle.status.completed
        if completed != work.runs:
            handle.result()  # raises what broke the launch
        return completed

    return phase


def _framing(work: Work, **columns: bool) -> Callable[[], int]:
    imported()
    for module in ("pandas", "metalab.results.cached.building", "metalab.results.cached.reading"):
        import_module(module)
    for cache in work.folder.glob("*/cache"):  # else the lines would not be decoded
        shutil.rmtree(cache)
    return lambda: len(metalab.load_results(work.folder).to_dataframe(**columns))


def imported() -> list[object]:
    """Have what every launch imports."""
    # The names resolve lazily; the floors, too, have their modules before the clock starts.
    return [metalab.run, metalab.load_results, metalab.FileStore, metalab.ThreadExecutor]
