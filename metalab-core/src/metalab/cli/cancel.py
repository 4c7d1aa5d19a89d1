"""``metalab cancel``: end a launch that goes on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.cli.collection import Experiment, add_experiment, add_store, experiment_of
from metalab.cli.launches import open_runs, told
from metalab.cli.output import print_json
from metalab.cli.text import say
from metalab.cli.usage import UsageError
from metalab.detached import DetachedLaunch
from metalab.errors import MetalabError, StoreError

if TYPE_CHECKING:
    import argparse

    from metalab.detached import Cancellation
    from metalab.store.base import Store

__all__ = ["add_arguments", "run"]

_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "End a launch that goes on by itself, as one on a cluster, whichever process began it; "
        "the runs under way may save themselves. What was finished is kept, and the next launch "
        "goes on from there."
    )
    add_store(parser)
    add_experiment(parser)
    parser.add_argument(
        "--launch", metavar="LAUNCH", help="which launch; by default the experiment's newest"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """End it; 2 where there is nothing to end."""
    store = experiment_of(arguments.store, arguments.experiment)
    launch = _found(store, arguments.launch)
    if not open_runs(_counts(store, launch)) and not launch.describe()["under_way"]:
        raise UsageError(
            f"the launch {launch.name} of {store.experiment_id} is over: all of its runs have ended"
        )
    ended = launch.cancel(_SECONDS)
    counts = _counts(store, launch)
    if arguments.json:
        print_json(_document(store, launch, ended, counts))
    else:
        _show(store, launch, ended, counts)
    return 0


def _found(store: Store, name: str | None) -> DetachedLaunch:
    try:
        return DetachedLaunch.newest(store, name)
    except StoreError:  # it is there, and cannot be read
        raise
    except MetalabError as error:
        raise UsageError(str(error)) from error


def _counts(store: Store, launch: DetachedLaunch) -> dict[str, int]:
    experiment = Experiment.read(store)
    return launch.counts(experiment.log, experiment.lost)


def _document(
    store: Store, launch: DetachedLaunch, ended: Cancellation, counts: dict[str, int]
) -> dict[str, Any]:
    return {
        "experiment_id": store.experiment_id,
        "launch": launch.name,
        "over": ended.is_over,
        "trouble": ended.words,
        "runs": counts,
    }


def _show(
    store: Store, launch: DetachedLaunch, ended: Cancellation, counts: dict[str, int]
) -> None:
    state = {True: "is over", False: "is ending", None: "is to end"}[ended.is_over]
    say(f"{store.experiment_id}: the launch {launch.name} {state}; {told(counts)}")
    if ended.words is not None:
        say(f"  {ended.words}")
