"""Computing derived metrics of many runs: to keep them, or for one table."""

from __future__ import annotations

import warnings
from contextlib import closing
from typing import TYPE_CHECKING, Any

from metalab.progress.iteration import watched
from metalab.records import Status
from metalab.results.derived import DerivedMetricError, keep, stale
from metalab.results.freshness import values_of
from metalab.results.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from metalab.records import Metric
    from metalab.results.derived import DerivedMetric
    from metalab.results.parallel import Task
    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["DerivedMetricWarning", "derived_values", "keep_derived"]


class DerivedMetricWarning(UserWarning):
    """A derived metric of one run could not be computed; nothing is kept of it."""


def keep_derived(
    reader: Reader,
    rows: Rows,
    metrics: Sequence[DerivedMetric],
    *,
    overwrite: bool,
    progress: bool,
    workers: int | None = None,
    timeout: float | None = None,
) -> None:
    """Compute what is missing or does not hold any more, or all, and keep it."""
    if workers is not None and workers < 1:
        raise ValueError(f"workers={workers} is less than 1; None computes in this process")
    if timeout is not None:
        _check_timeout(timeout, workers)
    if not metrics:
        return
    if workers is not None:
        tasks = _tasks(reader, rows, metrics, overwrite)
        _keep_found(reader, tasks, metrics, progress=progress, workers=workers, timeout=timeout)
        return
    with reader.writer() as writer:
        for run in watched(_runs(reader, rows), len(rows), "derived metrics", progress):
            if run.status is Status.SUCCESS:
                entries = {} if overwrite else reader.derived(run.run_id)
                for metric, values in _computed(run, stale(entries, metrics)):
                    keep(writer, reader, run.run_id, metric, values)
    reader.refresh()


def _check_timeout(timeout: float, workers: int | None) -> None:
    if not timeout > 0:
        raise ValueError(f"timeout={timeout} is not more than 0 seconds; None waits for ever")
    if workers is None:
        raise ValueError(
            f"timeout={timeout} ends a process that takes longer, so it needs workers=; "
            "workers=1 computes one run after the other"
        )


def _tasks(
    reader: Reader, rows: Rows, metrics: Sequence[DerivedMetric], overwrite: bool
) -> list[Task]:
    places = {metric.name: place for place, metric in enumerate(metrics)}
    tasks: list[Task] = []
    for record in rows.records():
        if record.status is Status.SUCCESS:
            entries = {} if overwrite else reader.derived(record.run_id)
            if wanted := stale(entries, metrics):
                tasks.append((record.run_id, tuple(places[metric.name] for metric in wanted)))
    return tasks


def _keep_found(
    reader: Reader,
    tasks: list[Task],
    metrics: Sequence[DerivedMetric],
    *,
    progress: bool,
    workers: int,
    timeout: float | None,
) -> None:
    # Few who look at results need processes, and what starts them takes long to import.
    from metalab.results.parallel import computed_by_workers  # noqa: PLC0415

    with (
        closing(computed_by_workers(reader.store, metrics, tasks, workers, timeout)) as findings,
        reader.writer() as writer,
    ):
        for found in watched(findings, len(tasks), "derived metrics", progress):
            for fault in found.faults:
                warnings.warn(fault, DerivedMetricWarning, stacklevel=4)
            for place, values in found.values.items():
                keep(writer, reader, found.run_id, metrics[place], values, of=found.of)
    reader.refresh()


def derived_values(
    reader: Reader,
    rows: Rows,
    metrics: Sequence[DerivedMetric],
    *,
    kept: bool,
    progress: bool,
) -> Iterator[dict[str, Any]]:
    """Yield the derived values of each run: of the metrics given, and with ``kept`` of all kept."""
    names = {metric.name for metric in metrics}
    for run in watched(_runs(reader, rows), len(rows), "derived metrics", progress):
        entries = reader.derived(run.run_id)
        wanted = stale(entries, metrics) if run.status is Status.SUCCESS else []
        shown = {name: entry for name, entry in entries.items() if kept or name in names}
        for metric in wanted:
            shown.pop(metric.name, None)
        for metric, values in _computed(run, wanted):
            shown[metric.name] = {"values": values}
        yield values_of(shown)


def _runs(reader: Reader, rows: Rows) -> Iterator[Run]:
    return (Run(record, reader.store, reader=reader) for record in rows.records())


def _computed(
    run: Run, metrics: Sequence[DerivedMetric]
) -> Iterator[tuple[DerivedMetric, dict[str, Metric]]]:
    for metric in metrics:
        try:
            yield metric, metric.of(run)
        except DerivedMetricError as error:
            warnings.warn(str(error), DerivedMetricWarning, stacklevel=4)
