"""``metalab status``: how far the experiments of a store are, what runs, what failed and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from metalab.cli.causes import Cause, causes_of
from metalab.cli.collection import (
    Experiment,
    add_experiment,
    add_store,
    experiments_of,
    open_store,
    short_ids,
)
from metalab.cli.launches import Outlook, outlooks
from metalab.cli.output import add_formats, given, iso, local, print_csv, print_json, took
from metalab.cli.overview import Overview, overview_columns, show_overviews
from metalab.cli.storage import crowding
from metalab.cli.text import say, show_table
from metalab.records import Status

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from metalab.results import Run
    from metalab.store.base import Store

__all__ = ["add_arguments", "run"]

_SHORT = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Count the runs of each experiment by status, list those that are running and those "
        "whose worker is gone, group those that failed by their cause, and say how the jobs of "
        "launches stand that go on by themselves. Looking changes nothing."
    )
    add_store(parser)
    add_experiment(parser)
    add_formats(parser, "list")


def run(arguments: argparse.Namespace) -> int:
    """Show how things stand."""
    store = open_store(arguments.store)
    if arguments.csv:
        stores = experiments_of(store, arguments.experiment)
        print_csv(overview_columns([Overview.of(Experiment.read(each)) for each in stores]))
        return 0
    found = [_Standing.of(each) for each in experiments_of(store, arguments.experiment)]
    if arguments.json:
        print_json([each.document() for each in found])
        return 0
    show_overviews([each.overview for each in found], store.locator)
    for each in found:
        each.show()
    return 0


@attrs.frozen
class _Standing:
    """How one experiment stands at one moment."""

    overview: Overview
    launch: Mapping[str, Any]
    running: Sequence[Run]
    lost: Sequence[tuple[Run, str]]
    failures: Sequence[Cause]
    hint: str | None
    jobs: Sequence[Outlook]

    @classmethod
    def of(cls, store: Store) -> _Standing:
        experiment = Experiment.read(store)
        begun = experiment.runs_with(Status.RUNNING)
        return cls(
            Overview.of(experiment),
            experiment.last_launch(),
            [run for run in begun if run.run_id not in experiment.lost],
            [(run, cause) for run in begun if (cause := experiment.lost.get(run.run_id))],
            causes_of(experiment.runs_with(Status.FAILED)),
            crowding(store),
            outlooks(experiment),
        )

    def document(self) -> dict[str, Any]:
        return {
            **self.overview.document(),
            "launch": dict(self.launch) or None,
            "running": [
                {
                    "run_id": run.run_id,
                    "started_at": iso(run.started_at),
                    "worker": run.provenance.executor_id,
                    "host": run.provenance.host,
                    "params": run.params,
                    "replicate": run.replicate,
                }
                for run in self.running
            ],
            "lost": [
                {"run_id": run.run_id, "cause": cause, "params": run.params}
                for run, cause in self.lost
            ],
            "failures": [attrs.asdict(cause) for cause in self.failures],
            "jobs": [each.document() for each in self.jobs],
        }

    def show(self) -> None:
        name = self.overview.experiment_id
        if self.launch:
            say(f"\n{name}: {_told(self.launch)}")
        for each in self.jobs:
            say("\n".join(f"{name}: {line}" for line in each.lines()))
        if self.running:
            say(f"\n{name}: running")
            _show_running(self.running)
        if self.lost:
            say(f"\n{name}: lost; the next launch tries them again")
            ids = short_ids([run.run_id for run, _ in self.lost])
            rows = [[i, why, given(run)] for i, (run, why) in zip(ids, self.lost, strict=True)]
            show_table(["run", "worker", "given"], rows, set())
        if self.failures:
            say(f"\n{name}: failed")
            rows = [[f"{c.runs:,}", c.cause, c.example[:_SHORT]] for c in self.failures]
            show_table(["runs", "cause", "example"], rows, {0})
        if self.hint:
            say(f"\n{name}: {self.hint}")


def _told(launch: Mapping[str, Any]) -> str:
    started = launch.get("started")
    when = local(datetime.fromisoformat(started)) if started else "at an unknown time"
    who = f"{launch.get('user') or 'somebody'} on {launch.get('host')}"
    return (
        f"last launched {when} by {who}, executor {launch.get('executor')}: "
        f"{launch.get('runs', 0):,} runs, {launch.get('done', 0):,} done before"
    )


def _show_running(running: Sequence[Run]) -> None:
    now = datetime.now(UTC)
    ids = short_ids([run.run_id for run in running])
    rows = [
        [
            run_id,
            took(1000 * (now - run.started_at).total_seconds()),
            f"{run.provenance.executor_id or ''} {run.provenance.host or ''}".strip(),
            given(run),
        ]
        for run_id, run in zip(ids, running, strict=True)
    ]
    show_table(["run", "for", "worker", "given"], rows, {1})
