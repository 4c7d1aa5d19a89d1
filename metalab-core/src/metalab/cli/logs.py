"""``metalab logs``: what a run logged."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from metalab.cli.collection import add_store_option, find_run, open_store
from metalab.cli.output import print_json

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]

_DEFAULT = "run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = "Print what the last attempt at a run logged, while it runs as well."
    parser.add_argument("run_id", metavar="RUN", help="the run's id, or what it alone begins with")
    add_store_option(parser)
    parser.add_argument(
        "--name", metavar="NAME", default=_DEFAULT, help="which log; by default run"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print one log."""
    store, found = find_run(open_store(arguments.store), arguments.run_id)
    names = store.list_logs(found.run_id)
    text = found.log(arguments.name)
    if arguments.json:
        print_json({"run_id": found.run_id, "name": arguments.name, "text": text, "logs": names})
        return 0
    if not text:
        there = f"; it has the logs {', '.join(names)}: choose with --name" if names else ""
        print(f"metalab: the run {found.run_id} logged nothing{there}", file=sys.stderr)
    sys.stdout.write(text)
    return 0
