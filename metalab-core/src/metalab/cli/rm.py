"""``metalab rm``: forget runs, so that they count as never run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from metalab.cli.collection import (
    add_experiment,
    add_store_option,
    experiments_of,
    find_runs,
    open_store,
)
from metalab.cli.output import print_json
from metalab.cli.query import filter_of
from metalab.cli.text import many, say
from metalab.cli.usage import UsageError
from metalab.harmless import harmless

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from metalab.store.base import Store

__all__ = ["add_arguments", "run"]

_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Forget runs: they count as never run, and the next launch executes them again. Their "
        "bytes stay until metalab compact --drop-attempts."
    )
    parser.add_argument(
        "run_ids",
        metavar="RUN",
        nargs="*",
        help="the id of a run, or what it alone begins with",
    )
    parser.add_argument(
        "--where", metavar="FILTER", help="forget the runs that this is true of, as in metalab ls"
    )
    add_store_option(parser)
    add_experiment(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON list of what is forgotten"
    )


def run(arguments: argparse.Namespace) -> int:
    """Forget the runs; 1 if whoever was asked says no."""
    found = _chosen(arguments)
    if not (arguments.yes or _agreed([run_id for _, run_id in found])):
        say("metalab: nothing is forgotten", to_errors=True)
        return 1
    for store in dict.fromkeys(store for store, _ in found):
        with store:
            store.delete_runs([run_id for home, run_id in found if home is store])
    if arguments.json:
        print_json(
            [{"experiment_id": home.experiment_id, "run_id": run_id} for home, run_id in found]
        )
    else:
        say(
            f"{many(len(found), 'run')} forgotten; the bytes stay until "
            "metalab compact --drop-attempts"
        )
    return 0


def _chosen(arguments: argparse.Namespace) -> list[tuple[Store, str]]:
    """Return the runs that are meant, each once, and the store of each."""
    if (arguments.where is None) == (not arguments.run_ids):
        raise UsageError("name the runs, or say which with --where")
    store = open_store(arguments.store)
    if arguments.where is None:
        return find_runs(store, arguments.run_ids)
    query = filter_of(arguments.where)
    homes = experiments_of(store, arguments.experiment)
    if len(homes) > 1:
        raise UsageError("--where needs --experiment, to choose the runs")
    return [(home, run_id) for home in homes for (run_id,) in home.query(query).values]


def _agreed(run_ids: Sequence[str]) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here whether runs shall be forgotten; add --yes")
    more = f" and {len(run_ids) - _SHOWN} more" if len(run_ids) > _SHOWN else ""
    question = f"forget {', '.join(run_ids[:_SHOWN])}{more}? [y/N] "
    print(harmless(question), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
