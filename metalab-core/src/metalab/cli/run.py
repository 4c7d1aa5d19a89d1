"""``metalab run``: execute the runs of an experiment that are left, and say how it ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from metalab.cli.launching import add_launch, launch
from metalab.cli.target import add_target, load_experiment
from metalab.runner import run as start

if TYPE_CHECKING:
    import argparse

    from metalab.execution.handle import RunHandle
    from metalab.results import Results

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Execute the runs of an experiment that have no success stored. The exit code is 0 if "
        "all of its runs have succeeded, 1 if not."
    )
    add_target(parser)
    parser.add_argument(
        "--store", metavar="STORE", help="a folder or a locator; by default ./experiments"
    )
    parser.add_argument(
        "--no-resume", action="store_true", help="execute every run, those that succeeded as well"
    )
    add_launch(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run it; 1 unless all of its runs have succeeded."""
    return launch(arguments, partial(_begin, arguments), _failed)


def _begin(arguments: argparse.Namespace, **options: Any) -> RunHandle:
    # Loaded here, where what the file prints goes to the right stream.
    experiment = load_experiment(arguments.target)
    return start(experiment, arguments.store, resume=not arguments.no_resume, **options)


def _failed(_handle: RunHandle, results: Results) -> Results:
    return results.failed
