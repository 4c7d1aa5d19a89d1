"""``metalab compact``: merge the many files of writers that have ended into few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.cli.collection import add_experiment, add_store, experiments_of, open_store
from metalab.cli.output import document_of, print_json
from metalab.cli.text import many, say, size

if TYPE_CHECKING:
    import argparse

    from metalab.store.maintenance import Compaction

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Merge the files of writers that have ended into few. It is safe at any moment, beside "
        "runs under way too: no file is removed before its copy has been read again."
    )
    add_store(parser)
    add_experiment(parser)
    parser.add_argument("--gzip", action="store_true", help="compress what is merged")
    parser.add_argument(
        "--drop-attempts",
        action="store_true",
        help="leave out attempts that another one displaced, and what remains of forgotten runs",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def run(arguments: argparse.Namespace) -> int:
    """Compact every experiment that is meant."""
    documents: list[dict[str, Any]] = []
    for store in experiments_of(open_store(arguments.store), arguments.experiment):
        done = store.compact(
            gzip=arguments.gzip,
            drop_attempts=arguments.drop_attempts,
            dry_run=arguments.dry_run,
        )
        documents.append({"experiment_id": store.experiment_id, **document_of(done)})
        if not arguments.json:
            _show(str(store.experiment_id), done)
    if arguments.json:
        print_json(documents)
    return 0


def _show(experiment_id: str, done: Compaction) -> None:
    say(f"{experiment_id}: {_told(done)}")
    for each in done.kept:
        say(f"  left as it is: {each.place}: {each.reason}")
    if done.checkpoints:
        verb = "would be" if done.bytes_after is None else "are"
        say(f"  {many(done.checkpoints, 'checkpoint')} of runs that have ended {verb} removed")
    if done.dropped:
        say(f"  {many(done.dropped, 'line')} left out; metalab fsck lists artifacts of theirs")


def _told(done: Compaction) -> str:
    if not done.merged:
        return "nothing to merge"
    before = f"{many(len(done.merged), 'file')} of {size(done.bytes_before)}"
    if done.bytes_after is None:
        return f"{before} would be merged"
    if not done.made:
        return f"{before}, which an interrupted compaction had merged, removed"
    return f"{before} merged into {many(len(done.made), 'file')} of {size(done.bytes_after)}"
