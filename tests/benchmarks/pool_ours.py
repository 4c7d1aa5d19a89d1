"""Worker processes through metalab's public API, until every record is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import metalab
from benchmarks.ours import experiment, running
from benchmarks.work import METRIC, WORKERS, Work, compute, sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab import Capture, SeedBundle


@metalab.operation
def busy(params: dict[str, Any], seeds: SeedBundle, capture: Capture) -> None:
    """Compute for as long as the params say, and do what a trivial run does."""
    compute(params["seconds"])
    capture.metric(METRIC, seeds.rng().random())


def warm(work: Work) -> Callable[[], int]:
    """W5: with workers that are ready before the clock starts."""
    return running(work, _computing(work), metalab.ProcessExecutor(WORKERS).start())


def cold(work: Work) -> Callable[[], int]:
    """W5: workers are started when there is work, and that counts."""
    return running(work, _computing(work), metalab.ProcessExecutor(WORKERS))


def one_worker(work: Work) -> Callable[[], int]:
    """W5: trivial runs through one worker process."""
    return running(work, experiment(work.runs), metalab.ProcessExecutor(1).start())


def two_workers(work: Work) -> Callable[[], int]:
    """W5: trivial runs through two."""
    return running(work, experiment(work.runs), metalab.ProcessExecutor(WORKERS).start())


def _computing(work: Work) -> metalab.Experiment:
    return metalab.Experiment(
        name="busy",
        version="1",
        context={},
        operation=busy,
        params=metalab.grid(seconds=[work.seconds], **sweep(work.runs)),
        seeds=metalab.seeds(base=42),
    )
