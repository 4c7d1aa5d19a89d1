"""``metalab retry``: execute stored runs again that have no success."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from metalab.cli.collection import (
    add_experiment,
    add_store,
    experiments_of,
    find_runs,
    open_store,
)
from metalab.cli.launching import add_launch, launch
from metalab.cli.query import filter_of
from metalab.cli.usage import UsageError
from metalab.records import Status
from metalab.runner import retry
from metalab.store.query.expression import And, Column, Comparison

if TYPE_CHECKING:
    import argparse

    from metalab.execution.handle import RunHandle
    from metalab.results import Results, Run
    from metalab.store.base import Store
    from metalab.store.query.expression import Expression

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Execute runs again that have failed, were cancelled or are lost; the store says from "
        "which file they came. The exit code is 0 if all of them have succeeded, 1 if not."
    )
    add_store(parser)
    parser.add_argument(
        "run_ids",
        metavar="RUN",
        nargs="*",
        help="the id of a run, or what it alone begins with; by default all without a success",
    )
    parser.add_argument(
        "--failed", action="store_true", help="only runs that failed, none that were cut short"
    )
    parser.add_argument(
        "--where", metavar="FILTER", help="only runs that this is true of, as in metalab ls"
    )
    add_experiment(parser)
    add_launch(parser)


def run(arguments: argparse.Namespace) -> int:
    """Retry them; 1 unless all that are retried have succeeded."""
    begin = partial(
        retry,
        _home(arguments),
        where=_filter(arguments),
        run_ids=arguments.run_ids or None,
    )
    return launch(arguments, begin, _failed, "nothing to retry")


def _home(arguments: argparse.Namespace) -> Store:
    """Return the store of the experiment that is meant, by name or by its runs."""
    store = open_store(arguments.store)
    homes = experiments_of(store, arguments.experiment)
    if len(homes) > 1 and arguments.run_ids:
        found = dict.fromkeys(home for home, _ in find_runs(store, arguments.run_ids))
        if len(found) > 1:
            there = ", ".join(str(home.experiment_id) for home in found)
            raise UsageError(f"these are runs of {there}; retry those of one at a time")
        return next(iter(found))
    if len(homes) > 1:
        there = ", ".join(str(home.experiment_id) for home in homes)
        raise UsageError(f"{store.locator} holds {there}; choose one with --experiment")
    return homes[0] if homes else store


def _filter(arguments: argparse.Namespace) -> Expression | None:
    failed = Comparison(Column("status"), "=", Status.FAILED.value)
    given = None if arguments.where is None else filter_of(arguments.where).filter
    if not arguments.failed:
        return given
    return failed if given is None else And((failed, given))


def _failed(handle: RunHandle, results: Results) -> list[Run]:
    # Those that were not to be retried may have failed, too; why is not asked here.
    return [run for run in results.failed if run.record.launch == handle.job_id]
