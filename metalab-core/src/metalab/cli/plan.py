"""``metalab plan``: what ``metalab run`` would do."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import attrs

from metalab.cli.output import print_json
from metalab.cli.target import add_target, load_experiment
from metalab.report import plan

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = "Say how many runs an experiment has and how many are left; do nothing."
    add_target(parser)
    parser.add_argument(
        "--store", metavar="STORE", help="a folder or a locator; by default ./experiments"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the counts."""
    if not arguments.json:
        plan(load_experiment(arguments.target), arguments.store)
        return 0
    with redirect_stdout(sys.stderr):  # what the file prints belongs to no JSON
        experiment = load_experiment(arguments.target)
    with redirect_stdout(io.StringIO()):  # plan() tells in words what is printed as JSON below
        report = plan(experiment, arguments.store)
    print_json(attrs.asdict(report))
    return 0
