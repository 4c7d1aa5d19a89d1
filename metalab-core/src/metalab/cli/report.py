"""``metalab report``: the runs of an experiment as one page to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from metalab.cli.collection import Experiment, add_experiment, add_store, experiment_of
from metalab.cli.executors import count
from metalab.cli.output import print_json
from metalab.cli.text import say
from metalab.cli.usage import UsageError
from metalab.errors import QueryError
from metalab.results.lookup import NameLookupError
from metalab.results.report import is_report

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
    parser.add_argument("--metric", metavar="NAME", help="what the headline is about")
    parser.add_argument(
        "--mode",
        metavar="MODE",
        choices=["max", "min"],
        help="whether more of it is better, or less",
    )
    parser.add_argument("--title", metavar="TEXT", help="what stands above the page")
    parser.add_argument(
        "--max-runs", metavar="N", type=count, help="list no more than the first N runs"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a file that is there and is no report"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print its path."""
    _check(Path(arguments.output).expanduser(), force=arguments.force)
    found = Experiment.read(experiment_of(arguments.store, arguments.experiment))
    results = found.results()
    try:
        chosen = results if arguments.where is None else results.where(arguments.where)
    except QueryError as error:
        raise UsageError(str(error)) from error
    try:
        written = chosen.report(
            arguments.output,
            title=arguments.title or found.experiment_id,
            metric=arguments.metric,
            mode=arguments.mode,
            max_runs=arguments.max_runs,
        )
    except NameLookupError as error:
        raise UsageError(str(error)) from error
    if arguments.json:
        size = written.stat().st_size
        print_json({"path": str(written), "bytes": size, "runs": len(chosen)})
    else:
        say(str(written))
    return 0


def _check(path: Path, *, force: bool) -> None:
    """Raise UsageError if the page would take the place of a file that is another's."""
    if force or not path.exists() or is_report(path):
        return
    if path.is_file() and not path.stat().st_size:  # as mktemp makes it
        return
    raise UsageError(
        f"{path} is there, and is no report of metalab; give another name, or --force to replace it"
    )
