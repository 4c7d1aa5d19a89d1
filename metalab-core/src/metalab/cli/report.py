"""``metalab report``: the runs of an experiment as one page to hand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.cli.collection import Experiment, add_experiment, add_store, experiment_of
from metalab.cli.usage import UsageError
from metalab.errors import QueryError

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = "Write one HTML page of an experiment's settings and runs."
    add_store(parser)
    add_experiment(parser)
    parser.add_argument("-o", "--output", metavar="FILE", default="report.html", help="the page")
    parser.add_argument("--where", metavar="FILTER", help="only runs for which it holds")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print its path."""
    found = Experiment.read(experiment_of(arguments.store, arguments.experiment))
    results = found.results()
    try:
        chosen = results if arguments.where is None else results.where(arguments.where)
    except QueryError as error:
        raise UsageError(str(error)) from error
    print(chosen.report(arguments.output, title=found.experiment_id))
    return 0
