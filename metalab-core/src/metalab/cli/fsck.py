"""``metalab fsck``: check every line and every artifact of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.cli.collection import add_experiment, add_store, experiments_of, open_store
from metalab.cli.output import document_of, print_json
from metalab.cli.text import many, say
from metalab.store.maintenance import Severity

if TYPE_CHECKING:
    import argparse

    from metalab.store.maintenance import Inspection

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Check every line and every artifact of a store, and say where something is not as it "
        "was written. Nothing is changed. The exit code is 1 if there is damage; notes cost "
        "no result."
    )
    add_store(parser)
    add_experiment(parser)
    parser.add_argument(
        "--remove-strays",
        action="store_true",
        help="remove temporary files that nobody has written to for a day, and checkpoints of "
        "runs that have succeeded",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Inspect every experiment that is meant; 1 if something is damaged."""
    stores = experiments_of(open_store(arguments.store), arguments.experiment)
    found = {
        str(store.experiment_id): store.inspect(remove_strays=arguments.remove_strays)
        for store in stores
    }
    sound = all(each.is_sound for each in found.values())
    if arguments.json:
        experiments = [{"experiment_id": name, **document_of(it)} for name, it in found.items()]
        print_json({"ok": sound, "experiments": experiments})
    else:
        for name, inspection in found.items():
            _show(name, inspection)
    return 0 if sound else 1


def _show(experiment_id: str, found: Inspection) -> None:
    for flaw in found.flaws:
        say(f"{flaw.severity.value}: {flaw.place}: {flaw.text}")
    for path in found.removed:
        say(f"removed: {path}")
    damaged = sum(flaw.severity is Severity.DAMAGE for flaw in found.flaws)
    notes = len(found.flaws) - damaged
    verdict = many(damaged, "damaged place") if damaged else "sound"
    verdict += f", {many(notes, 'note')}" if notes else ""
    say(
        f"{experiment_id}: {verdict} ({many(found.segments, 'segment')}, "
        f"{many(found.lines, 'line')}, {many(found.artifacts, 'artifact')})"
    )
